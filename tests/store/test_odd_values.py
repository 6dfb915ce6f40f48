"""No value that a database's columns take stops store-wide work, or is left out silently."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from odd_values import GOOD, odd_sessions

import tiers
from strongroom import DecodeError, HistoryTamperedError, Key, Keyring, Ledger, maintenance

pytestmark = pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", "mysql-asyncmy")

OLD, NEW = Key(b"o" * 32), Key(b"n" * 32)
BEFORE = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
COPY = {"sessions_table": "copy_sessions", "messages_table": "copy_messages"}
TABLES = ("agent_messages", "agent_sessions", "copy_messages", "copy_sessions")
SEALED = {"codec": "orjson+aesgcm"}
FIRST_IDS = itertools.count(1_000_000, 1000)
"""Row ids for each example, above those that the database has given out."""


class World:
    """A store with good neighbours and odd sessions, and what is to come of each."""

    def __init__(self, database, sessions):
        self.database = database
        self.odd = sessions
        self.store = database.store(**SEALED, keys=Keyring(OLD))
        self.junk = set()  # (session as shown, row) of rows that do not open
        self.times = set()  # the same of what has a time that cannot be read
        self.ids = set()  # the same of sessions whose id is not text
        self.rows = 2 * len(GOOD)
        self.readable = 2 * len(GOOD)

    async def fill(self):
        await self.store.create_tables()
        copies = self.database.store(**SEALED, keys=Keyring(OLD), **COPY)
        await copies.create_tables()
        for table in TABLES:
            await self.database.execute(f"DELETE FROM {table}")
        for name in GOOD:
            await self.store.session(name).add_items([{"of": name, "n": n} for n in range(2)])
        base = next(FIRST_IDS)
        for number, session in enumerate(self.odd):
            await self.put(session, base + 10 * number)

    async def put(self, session, row_id):
        name = session.id
        if name.value:
            await self.store.session(name.value).add_items(["readable"])
            self.rows += 1
            self.readable += 1
            ((own,),) = await self.database.execute(
                f"SELECT id FROM agent_messages WHERE session_id = {name.sql}"
            )
            if session.row_time.value is None:
                self.times.add((name.shown, own))
        elif session.is_registered:
            self.ids.add((name.shown, None))
        await self.run(
            f"DELETE FROM agent_sessions WHERE session_id = {name.sql}"
            if not session.is_registered
            else f"UPDATE agent_sessions SET updated_at = {session.updated.sql}, "
            f"created_at = {session.created.sql} WHERE session_id = {name.sql}"
            if name.value
            else "INSERT INTO agent_sessions (session_id, created_at, updated_at) "
            f"VALUES ({name.sql}, {session.created.sql}, {session.updated.sql})",
            f"UPDATE agent_messages SET created_at = {session.row_time.sql} "
            f"WHERE session_id = {name.sql}",
            *(
                "INSERT INTO agent_messages (id, session_id, message_data, created_at) "
                f"VALUES ({row_id + k}, {name.sql}, {value}, {session.row_time.sql})"
                for k, value in enumerate(session.values)
            ),
        )
        if (
            name.value
            and session.is_registered
            and None
            in {
                session.created.value,
                session.updated.value,
            }
        ):
            self.times.add((name.shown, None))
        self.rows += len(session.values)
        self.junk |= {(name.shown, row_id + k) for k in range(len(session.values))}

    async def run(self, *statements):
        """Run statements in a connection that takes days that no calendar has."""
        modes = {"mysql": ("SET sql_mode = 'ALLOW_INVALID_DATES'", "SET sql_mode = DEFAULT")}
        before, after = modes.get(self.database.dialect, ("SELECT 1", "SELECT 1"))
        async with self.database.shared.begin() as conn:
            for statement in (before, *statements, after):
                await conn.exec_driver_sql(statement)

    @property
    def sessions(self):
        """How many sessions a list shows: all that have a row of their own, or messages."""
        shown = [s for s in self.odd if s.is_registered or s.values or s.id.value]
        return len(GOOD) + len(shown)


def found(report):
    return {(failure.session_id, failure.row_id) for failure in report.failures}


def names(pairs):
    return {name for name, _ in pairs}


async def exported(store, **options):
    return [json.loads(line) async for line in store.export_items(**options)]


async def check_reads(world):
    store = world.store
    report = await maintenance.verify(store, batch_rows=3)
    assert found(report) == world.junk | world.times | world.ids
    assert (report.rows, report.ok) == (world.rows, not found(report))
    listed, after = [], None
    while page := await store.list_sessions(after=after, limit=2):
        listed += page
        after = page[-1].session_id
    assert len({info.session_id for info in listed}) == len(listed) == world.sessions
    assert sum(info.items for info in listed) == world.rows
    times = {info.session_id: (info.created_at, info.updated_at) for info in listed}
    for session in world.odd:
        if session.id.value and session.is_registered:
            shown = [time is None for time in times[session.id.value]]
            assert shown == [session.created.value is None, session.updated.value is None]
    stats = await store.stats()
    assert (stats.rows, stats.sessions) == (world.rows, world.sessions)
    skipping = world.database.store(**SEALED, keys=Keyring(OLD), on_error="skip")
    assert len(await exported(skipping)) == world.readable
    if world.junk:
        with pytest.raises(DecodeError):
            await exported(store)


async def check_copy(world):
    target = world.database.store(**SEALED, keys=Keyring(NEW), **COPY)
    report = await maintenance.copy(world.store, target, batch_rows=3)
    assert names(found(report)) == names(world.junk | world.times | world.ids)
    for name in GOOD:
        assert await target.session(name).get_items() == await world.store.session(name).get_items()


async def check_writes(world):
    store = world.store
    lines = [json.dumps({"session_id": "new", "created_at": None, "item": 1})]
    assert await store.import_items(lines) == 1
    assert await store.fork(GOOD[1], "forked") == 2
    renewed = world.database.store(**SEALED, keys=Keyring(NEW, OLD))
    report = await maintenance.recode(renewed, batch_rows=3)
    assert found(report) == world.junk
    assert report.recoded == world.readable + 3
    only_new = world.database.store(**SEALED, keys=Keyring(NEW))
    assert [len(await only_new.session(name).get_items()) for name in GOOD] == [2, 2]
    gone = [s for s in world.odd if s.is_registered and is_stale(s)]
    assert await store.delete_sessions(updated_before=BEFORE, batch_size=2) == len(gone) + 4
    left = await world.database.execute("SELECT count(*) FROM agent_messages")
    kept = [s for s in world.odd if s not in gone]
    assert left == [(sum(len(s.values) + bool(s.id.value) for s in kept),)]


def is_stale(session):
    updated = session.updated.value
    return (
        session.id.value is not None
        and updated is not None
        and updated < BEFORE.replace(tzinfo=None)
    )


async def check(database, sessions):
    world = World(database, sessions)
    await world.fill()
    await check_reads(world)
    await check_copy(world)
    await check_writes(world)


async def check_ledger(database, sessions):
    """Turn a ledger on over the same tables: the neighbours are linked, and all work ends."""
    world = World(database, sessions)
    await world.fill()
    engine = database.engine()  # which remembers no heads of another example
    options = {**SEALED, "engine": engine, "on_error": "skip"}
    store = database.store(**options, keys=Keyring(OLD), ledger=Ledger(Keyring(OLD)))
    await store.create_tables()
    await database.execute("DELETE FROM agent_sessions_heads")
    adopted = await maintenance.adopt(store)
    assert not names(found(adopted)) & set(GOOD)
    assert adopted.adopted >= len(GOOD)
    report = await maintenance.verify(store)
    assert not names(found(report)) & set(GOOD)
    assert names(found(report)) >= names(world.junk | world.ids)
    assert sum(info.items for info in await store.list_sessions(limit=1000)) == world.rows
    assert (await store.stats()).rows == world.rows
    for name in GOOD:
        assert len(await exported(store, session_id=name)) == 2
        assert (await maintenance.reset(store, name)).linked == 2
    both = Keyring(NEW, OLD)
    rotated = database.store(**options, keys=both, ledger=Ledger(both))
    assert not names(found(await maintenance.recode(rotated))) & set(GOOD)
    only_new = database.store(**options, keys=Keyring(NEW), ledger=Ledger(Keyring(NEW)))
    assert [len(await only_new.session(name).get_items()) for name in GOOD] == [2, 2]
    with contextlib.suppress(HistoryTamperedError):
        await rotated.delete_sessions(updated_before=BEFORE)
    left = await database.execute("SELECT count(*) FROM agent_messages")
    # A session that had no row of its own has got one when it was adopted.
    kept = [s for s in world.odd if not is_stale(s) and (s.is_registered or not s.id.value)]
    assert left[0][0] >= sum(len(s.values) + bool(s.id.value) for s in kept)
    await engine.dispose()


@settings(
    max_examples=tiers.examples(10),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_value_of_a_column_stops_the_work_under_a_ledger(runner, database, data):
    sessions = data.draw(odd_sessions(database.dialect, database.column_type))
    runner.run(check_ledger(database, sessions))


@settings(
    max_examples=tiers.examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_value_of_a_column_stops_the_work_on_the_others(runner, database, data):
    sessions = data.draw(odd_sessions(database.dialect, database.column_type))
    runner.run(check(database, sessions))


@pytest.fixture
def runner(database):
    with asyncio.Runner() as loop:
        yield loop
        loop.run(database.aclose())
