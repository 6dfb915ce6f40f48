"""Turning a ledger on for sessions that are there already, and on again after a mishap."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tampering import Tamperer

from histories import n
from strongroom import (
    FileWitness,
    HistoryTamperedError,
    Key,
    Keyring,
    Ledger,
)
from strongroom.maintenance import adopt, reset

KEYS = Keyring(Key(bytes(range(32))))
LEDGER = Ledger(KEYS)
pytestmark = [
    pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql"),
    pytest.mark.text_on_servers,
]


async def test_adopt_links_what_is_there_as_it_stands(database):
    plain = database.store(codec="orjson")
    await plain.session("a").add_items(n(*range(450)))
    await plain.session("b").add_items(n(1))
    before = await Tamperer(database).rows("a")
    store = database.store(codec="orjson", ledger=LEDGER)
    with pytest.raises(HistoryTamperedError, match="ledger adopt"):
        await store.session("a").get_items()
    seen = []
    report = await adopt(store, progress=seen.append)
    assert (report.adopted, report.rows, report.skipped, report.ok) == (2, 451, 0, True)
    assert seen[-1].done == 451
    after = await Tamperer(database).rows("a")
    assert [(row[0], row[3]) for row in after] == [(row[0], row[3]) for row in before]
    assert await store.session("a").get_items() == n(*range(450))
    await store.session("a").add_items(n(450))
    assert await store.session("a").pop_item() == {"n": 450}


async def test_adopt_again_changes_nothing_and_takes_what_is_new(database):
    plain = database.store(codec="orjson")
    await plain.session("a").add_items(n(1))
    store = database.store(codec="orjson", ledger=LEDGER)
    await adopt(store)
    rows, head = await database.rows("a"), await Tamperer(database).head("a")
    await plain.session("b").add_items(n(2))
    report = await adopt(store)
    assert (report.adopted, report.skipped) == (1, 1)
    assert (await database.rows("a"), await Tamperer(database).head("a")) == (rows, head)


async def test_adopt_does_not_change_when_a_session_was_updated(database):
    await database.session("a", codec="orjson").add_items(n(1))
    times = "SELECT session_id, created_at, updated_at FROM agent_sessions"
    before = await database.execute(times)
    assert (await adopt(database.store(codec="orjson", ledger=LEDGER))).adopted == 1
    assert await database.execute(times) == before


async def test_adopt_never_touches_linked_rows_without_a_head(database):
    store = database.store(codec="orjson", ledger=LEDGER)
    await store.session("a").add_items(n(1, 2))
    tamperer = Tamperer(database)
    await tamperer.delete_head("a")
    rows = await database.rows("a")
    report = await adopt(store)
    assert not report.ok
    assert [failure.session_id for failure in report.failures] == ["a"]
    assert "linked already" in report.failures[0].message
    assert await database.rows("a") == rows
    assert await tamperer.head("a") is None


async def test_adopt_refuses_a_session_that_the_witness_knows(database, tmp_path):
    ledger = Ledger(KEYS, FileWitness(tmp_path / "witness", create=True))
    store = database.store(codec="orjson", ledger=ledger)
    await store.session("a").add_items(n(1))
    tamperer = Tamperer(database)
    await tamperer.delete_head("a")
    size = 76 if database.column_type == "binary" else 102
    for row_id, value in await database.rows("a"):
        await tamperer.set(row_id, value[size:])
    rows = await database.rows("a")
    report = await adopt(store)
    assert report.failed == 1
    assert "witness" in report.failures[0].message
    assert await database.rows("a") == rows
    assert await tamperer.head("a") is None


async def test_adopt_links_values_that_nobody_can_read(database):
    await database.session("a", codec="orjson").add_items(n(1))
    await database.put("not JSON", "a")
    store = database.store(codec="orjson", ledger=LEDGER)
    assert (await adopt(store)).rows == 2
    assert await store.session("a").get_items() == n(1)


async def test_adopt_takes_a_prefix(database):
    plain = database.store(codec="orjson")
    await plain.session("a-1").add_items(n(1))
    await plain.session("b-1").add_items(n(1))
    store = database.store(codec="orjson", ledger=LEDGER)
    assert (await adopt(store, prefix="a-")).adopted == 1
    with pytest.raises(HistoryTamperedError):
        await store.session("b-1").get_items()


async def test_reset_trusts_what_is_there_and_says_what_it_found(database, tmp_path):
    ledger = Ledger(KEYS, FileWitness(tmp_path / "witness", create=True))
    store = database.store(codec="orjson", ledger=ledger)
    session = store.session("a")
    await session.add_items(n(1, 2, 3))
    await session.add_items(n(4))
    await database.session("a", codec="orjson").add_items(n(5))  # a writer without the ledger
    tamperer = Tamperer(database)
    rows = await tamperer.rows("a")
    value = rows[1][2]
    await tamperer.set(rows[1][0], value[:-2] + (b"9}" if isinstance(value, bytes) else "9}"))
    with pytest.raises(HistoryTamperedError):
        await session.get_items()
    report = await reset(store, "a")
    assert (report.rows, report.linked, report.altered, report.unlinked) == (5, 3, 1, 1)
    assert report.problem
    assert report.version == 3
    assert await session.get_items() == n(1, 9, 3, 4, 5)
    assert [row[0] for row in await database.rows("a")] == [row[0] for row in rows]
    await session.add_items(n(6))
    assert await database.session("a", codec="orjson", ledger=ledger).pop_item() == {"n": 6}


async def test_reset_goes_above_what_the_witness_saw(database, tmp_path):
    ledger = Ledger(KEYS, FileWitness(tmp_path / "witness", create=True))
    session = database.session("a", codec="orjson", ledger=ledger)
    await session.add_items(n(1))
    yesterday = await Tamperer(database).snapshot("a")
    for number in range(2, 6):
        await session.add_items(n(number))
    await Tamperer(database).restore(yesterday, "a")
    with pytest.raises(HistoryTamperedError, match="version 1, and the witness has seen 5"):
        await session.get_items()
    report = await reset(database.store(codec="orjson", ledger=ledger), "a")
    assert report.version == 6
    assert await session.get_items() == n(1)
    await session.add_items(n(2))


async def test_reset_of_a_session_without_a_head_or_with_a_broken_one(database):
    store = database.store(codec="orjson", ledger=LEDGER)
    tamperer = Tamperer(database)
    for damage in (tamperer.delete_head("a"), tamperer.set_head(b"?", "a")):
        await store.session("a").replace_items(n(1, 2))
        await damage
        with pytest.raises(HistoryTamperedError):
            await store.session("a").get_items()
        report = await reset(store, "a")
        assert (report.rows, report.linked) == (2, 2)
        assert await store.session("a").get_items() == n(1, 2)


async def test_reset_of_a_session_that_never_was_makes_nothing(database):
    store = database.store(codec="orjson", ledger=LEDGER)
    with pytest.raises(ValueError, match="no session"):
        await reset(store, "a")
    assert await store.list_sessions() == []


async def test_adopt_and_reset_need_a_ledger(database):
    from strongroom import ConfigurationError

    store = database.store(codec="orjson")
    with pytest.raises(ConfigurationError):
        await adopt(store)
    with pytest.raises(ConfigurationError):
        await reset(store, "a")
