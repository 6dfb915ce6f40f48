"""Under a ledger an export has the times that the links vouch for, in every zone."""

import datetime as dt
import json
import sys
from pathlib import Path

import pytest
from sqlalchemy import event

sys.path.insert(0, str(Path(__file__).parents[1] / "ledger"))

from tampering import Tamperer

from strongroom import HistoryTamperedError, Key, Keyring, Ledger
from strongroom.maintenance import adopt, copy
from strongroom.store import export as export_module

pytestmark = pytest.mark.text_on_servers

LEDGER = Ledger(Keyring(Key(bytes(range(32)))))
MOMENTS = ["2001-02-03T04:05:06.789000+00:00", "1969-12-31T23:59:59.500000+00:00"]
ZONES = {"postgresql": "SET TIME ZONE '+05:30'", "mysql": "SET time_zone = '+05:30'"}


def lines():
    return [
        json.dumps({"session_id": "s", "created_at": moment, "item": {"n": n}})
        for n, moment in enumerate(MOMENTS)
    ]


async def moments(store, **options):
    return [json.loads(line)["created_at"] async for line in store.export_items(**options)]


def engine_in_another_zone(database):
    """Return an engine whose connections have a zone of their own, where the server has zones."""
    engine = database.engine()
    if database.dialect in ZONES:

        @event.listens_for(engine.sync_engine, "connect")
        def shift(connection, record):
            cursor = connection.cursor()
            cursor.execute(ZONES[database.dialect])
            cursor.close()
            connection.commit()

    return engine


async def test_an_export_has_the_times_of_the_links(database):
    store = database.store(ledger=LEDGER)
    await store.create_tables()
    await store.import_items(lines())
    assert await moments(store) == await moments(store, session_id="s") == MOMENTS


async def test_a_time_that_was_changed_is_refused(database):
    store = database.store(ledger=LEDGER)
    await store.create_tables()
    await store.import_items(lines())
    tamperer = Tamperer(database)
    row_id = (await tamperer.rows())[0][0]
    await database.execute(
        f"UPDATE agent_messages SET created_at = '2020-01-01 00:00:00' WHERE id = {row_id}"
    )
    for options in ({}, {"session_id": "s"}):
        with pytest.raises(HistoryTamperedError, match="created_at has been changed"):
            await moments(store, **options)


async def test_a_time_that_is_changed_while_the_export_runs_is_not_served(database, monkeypatch):
    """The edit comes between the verified read of a batch and the lines that are made of it."""
    store = database.store(ledger=LEDGER)
    await store.create_tables()
    await store.import_items(lines())
    decoded = export_module._decoded

    async def edit_first(*arguments):
        await database.execute("UPDATE agent_messages SET created_at = '2020-01-01 00:00:00'")
        return await decoded(*arguments)

    monkeypatch.setattr(export_module, "_decoded", edit_first)
    assert await moments(store) == MOMENTS


async def test_an_adopted_row_has_its_own_time_whatever_the_zone_of_the_connection(database):
    engine = engine_in_another_zone(database)
    plain = database.store(engine=engine)
    await plain.create_tables()
    await plain.import_items(lines())
    await plain.session("s").add_items([{"n": 2}])
    before = await moments(plain)
    store = database.store(engine=engine, ledger=LEDGER)
    assert (await adopt(store)).ok
    await store.session("s").add_items([{"n": 3}])
    found = await moments(store)
    now = dt.datetime.now(dt.UTC)
    assert found[:3] == before
    assert found[:2] == MOMENTS
    copied = database.store(engine=engine, sessions_table="s2", messages_table="m2")
    assert (await copy(store, copied)).ok
    assert await moments(copied) == found
    for moment in found[2:]:
        assert abs(dt.datetime.fromisoformat(moment) - now) < dt.timedelta(minutes=10)
