"""Sessions with a ledger that nobody uses any more are cleared as ``clear_session`` clears one."""

import asyncio
import datetime as dt
import logging
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tampering import Tamperer
from test_witness import MemoryWitness

from histories import n
from strongroom import (
    HistoryTamperedError,
    Key,
    Keyring,
    Ledger,
    UnknownKeyError,
    WitnessError,
)
from strongroom.history.head import HeadStore
from strongroom.maintenance import verify
from strongroom.store.store import core_of

pytestmark = pytest.mark.text_on_servers

KEYS = [Key(bytes([number]) * 32) for number in range(2)]
LEDGER = Ledger(Keyring(KEYS[0]))
BEFORE = dt.datetime(2001, 2, 3, tzinfo=dt.UTC)
LONG_AGO = 980_000_000_000_000  # in January 2001
some_databases = pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql")
text_only = pytest.mark.databases(
    "sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",)
)


async def aged(database, *names, ledger=LEDGER, items=2):
    """Make sessions that were last updated before BEFORE, from another process as it were."""
    core = core_of(database.store(engine=database.engine(), ledger=ledger))
    for name in names:
        values = await core.encode(core.row_codec(name), n(*range(items)))
        await core.history(name).append(values, [LONG_AGO] * items)
        await age(database, name)


async def age(database, name):
    await database.execute(
        "UPDATE agent_sessions SET updated_at = '2001-02-02 04:05:06' "
        "WHERE session_id = :session_id",
        session_id=name,
    )


async def listed(store):
    return [info.session_id for info in await store.list_sessions()]


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", "mysql-asyncmy")
async def test_what_is_stale_is_cleared_and_its_head_stays(database):
    store = database.store(ledger=LEDGER)
    old = [f"old {number}" for number in range(7)]
    await aged(database, *old, "other")
    await store.session("new").add_items(n(1))
    yesterday = await Tamperer(database).snapshot("old 3")
    assert await store.delete_sessions(updated_before=BEFORE, prefix="old", batch_size=3) == 7
    assert await listed(store) == ["new", "other"]
    assert await store.delete_sessions(updated_before=BEFORE) == 1
    assert await store.delete_sessions(updated_before=BEFORE) == 0
    assert await listed(store) == ["new"]
    assert await database.execute("SELECT count(*) FROM agent_messages") == [(1,)]
    for name in old:
        head = LEDGER.bind(name).open_head(await Tamperer(database).head(name))
        assert (head.version, head.count) == (2, 0)
    assert (await verify(store)).ok
    assert await store.session("new").get_items() == n(1)
    await store.session("old 1").add_items(n(5))
    assert await store.session("old 1").get_items() == n(5)
    await Tamperer(database).restore_rows(yesterday, "old 3")
    with pytest.raises(HistoryTamperedError):
        await store.session("old 3").get_items()


# Other writers ------------------------------------------------------------------------------------


def come_between(monkeypatch, place, act):
    """Do something once to the session ``b``: before its head is read, behind that, or later.

    Behind that is before its ``updated_at`` is looked at, and later is before the clearing.
    """
    done = []

    async def come(keeper):
        if keeper._session_id == "b" and not done:
            done.append(place)
            await act()

    async def current(self, **options):
        if place == "before":
            await come(self)
        head = await read(self, **options)
        if place == "behind":
            await come(self)
        return head

    async def last(self, count):
        if place == "before":
            await come(self)
        found = await look(self, count)
        if place == "behind":
            await come(self)
        return found

    async def swap(self, *arguments, **options):
        if place == "later":
            await come(self)
        return await write(self, *arguments, **options)

    read, look, write = HeadStore.current, HeadStore.last, HeadStore.swap
    monkeypatch.setattr(HeadStore, "current", current)
    monkeypatch.setattr(HeadStore, "last", last)
    monkeypatch.setattr(HeadStore, "swap", swap)
    return done


each_place = pytest.mark.parametrize("place", ["before", "behind", "later"])


@some_databases
@each_place
@pytest.mark.parametrize("known", [False, True], ids=["read", "remembered"])
async def test_a_session_that_is_written_to_meanwhile_is_kept(database, monkeypatch, place, known):
    store = database.store(ledger=LEDGER)
    await aged(database, "a", "b", "c")
    if known:  # the store has the head at hand, and does not read it
        assert await store.session("b").get_items() == n(0, 1)
    other = database.session("b", ledger=LEDGER, engine=database.engine())
    done = come_between(monkeypatch, place, lambda: other.add_items(n("late")))
    assert await store.delete_sessions(updated_before=BEFORE) == 2
    assert done
    assert await listed(store) == ["b"]
    assert await store.session("b").get_items() == n(0, 1, "late")
    assert (await verify(store)).ok


@text_only
@each_place
async def test_a_session_that_is_deleted_meanwhile_is_not_counted(database, monkeypatch, place):
    store = database.store(ledger=LEDGER)
    await aged(database, "a", "b", "c")
    other = database.store(ledger=LEDGER, engine=database.engine())
    come_between(monkeypatch, place, lambda: other.delete_session("b"))
    assert await store.delete_sessions(updated_before=BEFORE) == 2
    assert await listed(store) == []
    head = LEDGER.bind("b").open_head(await Tamperer(database).head("b"))
    assert head.version == 2


@text_only
@each_place
async def test_a_session_that_is_popped_from_meanwhile_is_still_stale(database, monkeypatch, place):
    """A pop does not touch ``updated_at``, and moves the head."""
    store = database.store(ledger=LEDGER)
    await aged(database, "a", "b", "c")
    other = database.session("b", ledger=LEDGER, engine=database.engine())
    come_between(monkeypatch, place, other.pop_item)
    assert await store.delete_sessions(updated_before=BEFORE) == 3
    assert (await verify(store)).ok


@some_databases
async def test_deleting_and_appending_at_once_lose_nothing(database):
    store = database.store(ledger=LEDGER)
    other = database.store(ledger=LEDGER, engine=database.engine())
    names = [f"s{number}" for number in range(8)]
    for _ in range(3):
        for name in names:
            await store.session(name).clear_session()
            await aged(database, name, items=1)
        await asyncio.gather(
            store.delete_sessions(updated_before=BEFORE, batch_size=3),
            *(other.session(name).add_items(n("new")) for name in names),
        )
        for name in names:
            assert await store.session(name).get_items() in (n(0, "new"), n("new"))
        assert (await verify(store)).ok


# Witnesses ----------------------------------------------------------------------------------------


@some_databases
async def test_the_witness_knows_of_what_was_cleared(database):
    witness = MemoryWitness()
    ledger = Ledger(Keyring(KEYS[0]), witness)
    await aged(database, "a", "b", ledger=ledger)
    yesterday = await Tamperer(database).snapshot("a")
    store = database.store(ledger=ledger)
    assert await store.delete_sessions(updated_before=BEFORE) == 2
    assert [version for version, _ in witness.heads.values()] == [2, 2]
    await Tamperer(database).restore(yesterday, "a")
    fresh = database.store(ledger=ledger, engine=database.engine())
    with pytest.raises(HistoryTamperedError):
        await fresh.session("a").get_items()
    # What was set back is stale again, and is not what the witness has seen.
    with pytest.raises(HistoryTamperedError, match="witness"):
        await fresh.delete_sessions(updated_before=BEFORE)
    assert await listed(fresh) == ["a"]


@text_only
@pytest.mark.parametrize("failing", ["seen", "advance"])
async def test_a_witness_that_is_away_stops_the_work(database, failing):
    witness = MemoryWitness()
    ledger = Ledger(Keyring(KEYS[0]), witness)
    await aged(database, "a", "b", ledger=ledger)
    store = database.store(ledger=ledger)
    witness.failing = failing
    with pytest.raises(WitnessError) as caught:
        await store.delete_sessions(updated_before=BEFORE)
    committed = failing == "advance"
    assert (caught.value.session_id, caught.value.committed) == ("a", committed)
    assert await listed(store) == (["b"] if committed else ["a", "b"])
    witness.failing = False
    assert await store.delete_sessions(updated_before=BEFORE) == (1 if committed else 2)
    assert (await verify(store)).ok


# What does not verify -----------------------------------------------------------------------------


async def tampered(tamperer, name):
    head = await tamperer.head(name)
    await tamperer.set_head(head[:-1] + bytes([head[-1] ^ 1]), name)


async def headless(tamperer, name):
    await tamperer.delete_head(name)


async def malformed(tamperer, name):
    await tamperer.set_head(b"?", name)


@some_databases
@pytest.mark.parametrize("known", [False, True], ids=["read", "remembered"])
@pytest.mark.parametrize("tamper", [tampered, headless, malformed])
async def test_a_head_that_does_not_verify_is_refused_and_the_others_go(
    database, caplog, tamper, known
):
    store = database.store(ledger=LEDGER)
    await aged(database, "a", "b", "c", "d", "e")
    if known:
        assert await store.session("b").get_items() == n(0, 1)
    tamperer = Tamperer(database)
    for name in ("b", "d"):
        await tamper(tamperer, name)
    snapshot = await tamperer.snapshot("b")
    with (
        caplog.at_level(logging.WARNING, "strongroom"),
        pytest.raises(HistoryTamperedError) as caught,
    ):
        await store.delete_sessions(updated_before=BEFORE, batch_size=2)
    assert caught.value.session_id == "b"
    assert await listed(store) == ["b", "d"]
    assert await tamperer.snapshot("b") == snapshot
    first, second, last = [record.getMessage() for record in caplog.records]
    assert "session 'b'" in first
    assert "session 'd'" in second
    assert last == "Sessions deleted: 3; refused, and still there: 2."


@text_only
async def test_a_head_under_a_key_that_is_not_there_is_refused_too(database):
    await aged(database, "a", "c")
    await aged(database, "b", ledger=Ledger(Keyring(KEYS[1])))
    store = database.store(ledger=LEDGER)
    with pytest.raises(UnknownKeyError) as caught:
        await store.delete_sessions(updated_before=BEFORE)
    assert (caught.value.session_id, caught.value.key_id) == ("b", KEYS[1].id)
    assert await listed(store) == ["b"]


@some_databases
async def test_a_session_that_only_seems_old_is_refused(database):
    """Whoever can write the database sets ``updated_at``, and waits for the nightly clean-up."""
    witness = MemoryWitness()
    store = database.store(ledger=Ledger(Keyring(KEYS[0]), witness))
    await store.session("a").add_items(n(1))
    await age(database, "a")
    with pytest.raises(HistoryTamperedError, match="younger") as caught:
        await store.delete_sessions(updated_before=BEFORE)
    assert caught.value.session_id == "a"
    assert await store.session("a").get_items() == n(1)


@text_only
async def test_a_writers_clock_may_be_some_minutes_ahead(database):
    store = database.store(ledger=LEDGER)
    core = core_of(store)
    values = await core.encode(core.row_codec("a"), n(1))
    await core.history("a").append(values, [int(BEFORE.timestamp() + 500) * 1_000_000])
    await age(database, "a")
    assert await store.delete_sessions(updated_before=BEFORE) == 0
    assert await store.session("a").get_items() == n(1)
    assert await store.delete_sessions(updated_before=BEFORE + dt.timedelta(minutes=9)) == 1


@text_only
async def test_only_the_newest_row_is_verified_before_they_go(database):
    """``clear_session`` verifies none: the head is all that has to be good."""
    store = database.store(ledger=LEDGER)
    await aged(database, "a")
    row_id, value = (await database.rows("a"))[0]
    await Tamperer(database).set(row_id, value[:-1])
    assert await store.delete_sessions(updated_before=BEFORE) == 1
    assert await listed(store) == []
    assert (await verify(store)).ok


# Sessions without a head --------------------------------------------------------------------------


async def emptied(database, name):
    """Leave a session that a store without a ledger has emptied."""
    session = database.session(name)
    await session.add_items(n(1))
    await session.pop_item()
    await age(database, name)


DELETIONS = {
    "delete_sessions": lambda store: store.delete_sessions(updated_before=BEFORE),
    "delete_session": lambda store: store.delete_session("b"),
    "clear_session": lambda store: store.session("b").clear_session(),
}


@some_databases
@pytest.mark.parametrize("name", DELETIONS)
async def test_a_session_without_items_and_head_goes_too(database, name):
    await emptied(database, "b")
    store = database.store(ledger=LEDGER)
    assert await DELETIONS[name](store) in (1, None)
    assert await listed(store) == []
    await store.session("b").add_items(n(2))
    assert await store.session("b").get_items() == n(2)


@text_only
async def test_clearing_what_has_never_been_leaves_nothing(database):
    store = database.store(ledger=LEDGER)
    await store.session("a").clear_session()
    assert not await store.delete_session("a")
    assert await Tamperer(database).head("a") is None


@text_only
@each_place
@pytest.mark.parametrize("name", DELETIONS)
async def test_a_first_append_meanwhile_is_not_lost(database, monkeypatch, name, place):
    await emptied(database, "b")
    store = database.store(ledger=LEDGER)
    other = database.session("b", ledger=LEDGER, engine=database.engine())
    done = come_between(monkeypatch, place, lambda: other.add_items(n("late")))
    await DELETIONS[name](store)
    assert done
    # A session that is named goes whatever is in it.
    kept = n("late") if name == "delete_sessions" else []
    assert await store.session("b").get_items() == kept
    assert (await verify(store)).ok
