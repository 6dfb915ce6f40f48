"""Times at the ends of the calendar are kept, or refused with the number of their line."""

from __future__ import annotations

import json

import pytest

from strongroom import EncodeError, Key, Keyring, Ledger, PayloadError
from strongroom.maintenance import copy

pytestmark = pytest.mark.databases(
    "sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",)
)

FIRST, LAST = "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"
KEPT = ["0001-01-01T00:00:00.000001+00:00", "1969-12-31T23:59:59.500000+00:00"]


def ledger():
    return Ledger(Keyring(Key.generate()))


def lines(*times):
    return [
        json.dumps({"session_id": "s", "created_at": time, "item": {"n": number}})
        for number, time in enumerate(times)
    ]


async def exported(store):
    return [line async for line in store.export_items("s")]


def moments(exports):
    return [json.loads(line)["created_at"] for line in exports]


@pytest.mark.parametrize("with_ledger", [False, True])
@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_time_that_utc_does_not_have_is_refused_with_its_line(database, time, with_ledger):
    store = database.store(codec="json", ledger=ledger() if with_ledger else None)
    await store.create_tables()
    good = lines(*KEPT)
    with pytest.raises(PayloadError, match=r"Line 3 .* outside the years 1 to 9999 in UTC"):
        await store.import_items([*good, *lines(time)])
    assert await store.import_items(good) == len(good)
    assert moments(await exported(store)) == KEPT


async def test_the_first_and_the_last_moment_are_kept(database):
    store = database.store(codec="json")
    await store.create_tables()
    await store.import_items(lines(FIRST, LAST, *KEPT))
    assert moments(await exported(store)) == [FIRST, LAST, *KEPT]


@pytest.mark.parametrize("time", [FIRST, LAST])
async def test_a_ledger_refuses_the_first_and_the_last_moment(database, time):
    plain = database.store(codec="json", sessions_table="s2", messages_table="m2")
    await plain.create_tables()
    await plain.import_items(lines(*KEPT, time))
    store = database.store(codec="json", ledger=ledger())
    await store.create_tables()
    with pytest.raises(EncodeError, match=r"Line 3: A ledger cannot record this created_at"):
        await store.import_items(lines(*KEPT, time))
    report = await copy(plain, store)
    assert (report.copied, report.failed) == (2, 1)
    assert [failure.error for failure in report.failures] == ["EncodeError"]
    assert moments(await exported(store)) == KEPT
