"""Sessions that lost their row, their messages or all but the witness's memory are not left out."""

import datetime as dt
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "ledger"))

from tampering import Tamperer
from test_witness import MemoryWitness

from strongroom import FileWitness, HistoryTamperedError, Key, Keyring, Ledger
from strongroom.maintenance import adopt, copy, recode, verify

pytestmark = [
    pytest.mark.text_on_servers,
    pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql"),
]

KEYS = Keyring(Key(b"l" * 32))
LATER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
COPY = {"sessions_table": "s2", "messages_table": "m2"}
NAMES = ("a", "lost", "z")

# What is left of the session "lost", and the statements that bring it about.
ROW_GONE = ("agent_sessions",)
ONLY_HEAD = ("agent_messages", "agent_sessions")
NOTHING = ("agent_messages", "agent_sessions", "agent_sessions_heads")


def ledger(witness=None):
    return Ledger(KEYS, witness)


async def without_foreign_key(database):
    """Let the messages stay when their session's row goes, as somebody with the right to can."""
    if database.dialect == "postgresql":
        await database.execute(
            "ALTER TABLE agent_messages DROP CONSTRAINT agent_messages_session_id_fkey"
        )
    elif database.dialect == "mysql":
        await database.execute("ALTER TABLE agent_messages DROP FOREIGN KEY agent_messages_ibfk_1")


async def lose(database, *tables, session_id="lost"):
    await without_foreign_key(database)
    for table in tables:
        await database.execute(
            f"DELETE FROM {table} WHERE session_id = :session_id", session_id=session_id
        )


async def filled(database, *, clear=(), **options):
    """Return a store with three sessions of three items."""
    store = database.store(**options)
    for name in (*NAMES, *clear):
        await store.session(name).add_items([{"of": name, "n": n} for n in range(3)])
    for name in clear:
        await store.session(name).clear_session()
    return store


async def exported(store, **options):
    lines = [json.loads(line) async for line in store.export_items(**options)]
    return [(line["session_id"], line["item"]["n"]) for line in lines]


def found(report):
    return {(failure.session_id, failure.error) for failure in report.failures}


ALL = [(name, n) for name in NAMES for n in range(3)]


@pytest.mark.parametrize("with_ledger", [False, True], ids=["", "ledger"])
async def test_a_session_whose_own_row_is_gone_is_walked_with_the_others(database, with_ledger):
    store = await filled(database, ledger=ledger() if with_ledger else None)
    await lose(database, *ROW_GONE)
    assert sorted(await exported(store)) == ALL
    assert sorted(await exported(store, prefix="l")) == ALL[3:6]
    report = await verify(store)
    assert (report.rows, report.failures) == (9, ())
    listed = await store.list_sessions()
    assert [(info.session_id, info.items) for info in listed] == [(name, 3) for name in NAMES]
    assert (listed[1].created_at, listed[1].updated_at) == (None, None)
    stats = await store.stats()
    assert (stats.sessions, stats.rows) == (3, 9)
    assert (await recode(store)).ok
    report = await copy(store, database.store(**COPY))
    assert (report.ok, report.copied, report.sessions) == (True, 9, 3)


@pytest.mark.parametrize("with_ledger", [False, True], ids=["", "ledger"])
async def test_a_session_whose_own_row_is_gone_is_kept_and_logged(database, with_ledger, caplog):
    store = await filled(database, ledger=ledger() if with_ledger else None)
    await lose(database, *ROW_GONE)
    assert await store.delete_sessions(updated_before=LATER) == 2
    assert "it has no row in the table of sessions" in caplog.text
    assert "[session 'lost']" in caplog.text
    assert len(await database.rows("lost")) == 3


async def test_lost_sessions_are_listed_in_their_place_on_every_page(database):
    store = await filled(database)
    for name in ("b", "lost too", "zz"):
        await store.session(name).add_items([1])
    await lose(database, *ROW_GONE)
    for name in ("lost too", "zz"):
        await database.execute(
            "DELETE FROM agent_sessions WHERE session_id = :session_id", session_id=name
        )
    expected = ["a", "b", "lost", "lost too", "z", "zz"]
    for limit in (1, 2, 3, 5, 6, 7):
        seen, after = [], None
        while page := await store.list_sessions(after=after, limit=limit):
            seen += [info.session_id for info in page]
            after = page[-1].session_id
        assert seen == expected
    assert [info.session_id for info in await store.list_sessions("lost")] == expected[2:4]
    assert await store.list_sessions(updated_before=dt.datetime(2001, 1, 1, tzinfo=dt.UTC)) == []


async def test_a_session_of_which_only_the_head_is_left_is_refused_by_all(database):
    store = await filled(database, clear=["cleared"], ledger=ledger())
    await lose(database, *ONLY_HEAD)
    refused = {("lost", "HistoryTamperedError")}
    with pytest.raises(HistoryTamperedError):
        await exported(store)
    assert found(await verify(store)) == refused
    assert found(await recode(store)) == refused
    listed = [(info.session_id, info.items) for info in await store.list_sessions()]
    assert listed == [("a", 3), ("lost", 0), ("z", 3)]
    assert (await store.stats()).sessions == 3
    with pytest.raises(HistoryTamperedError):
        await copy(store, database.store(**COPY))


async def test_a_session_without_its_row_is_adopted(database):
    await filled(database)
    await lose(database, *ROW_GONE)
    store = database.store(ledger=ledger())
    report = await adopt(store)
    assert (report.adopted, report.rows, report.failures) == (3, 9, ())
    assert sorted(await exported(store)) == ALL
    assert [info.session_id for info in await store.list_sessions()] == list(NAMES)


async def test_a_session_that_only_the_witness_knows_is_reported_by_its_key(database, tmp_path):
    witness = FileWitness(tmp_path / "witness", create=True)
    store = await filled(database, clear=["cleared"], ledger=ledger(witness))
    assert (await verify(store)).ok
    await lose(database, *NOTHING)
    key = store.ledger.bind("lost").witness_key.hex()
    report = await verify(store)
    assert found(report) == {(key, "HistoryTamperedError")}
    assert (report.rows, report.ok) == (6, False)
    assert (await verify(store, prefix="a")).ok


async def test_a_history_that_the_witness_knows_is_reported_once_and_by_its_name(
    database, tmp_path
):
    witness = FileWitness(tmp_path / "witness", create=True)
    store = await filled(database, ledger=ledger(witness))
    await Tamperer(database).delete_head("lost")
    assert found(await verify(store)) == {("lost", "HistoryTamperedError")}


async def test_a_witness_without_a_list_is_not_asked_for_one(database):
    store = await filled(database, ledger=ledger(MemoryWitness()))
    await lose(database, *NOTHING)
    report = await verify(store)
    assert (report.rows, report.ok) == (6, True)


class BrokenWitness(MemoryWitness):
    """A witness that cannot list its keys just now."""

    async def keys(self):
        raise OSError("the disk is gone")


async def test_a_witness_that_cannot_list_its_keys_is_reported(database):
    store = await filled(database, ledger=ledger(BrokenWitness()))
    report = await verify(store)
    assert (report.rows, found(report)) == (9, {("", "WitnessError")})


async def test_a_head_that_is_no_head_stops_no_recode(database):
    store = await filled(database, ledger=ledger())
    await Tamperer(database).set_head(b"?" * 60, "lost")
    rotated = database.store(ledger=Ledger(Keyring(Key(b"m" * 32), *KEYS)))
    report = await recode(rotated)
    assert found(report) == {("lost", "HistoryTamperedError")}
    new = database.store(ledger=Ledger(Keyring(Key(b"m" * 32))))
    assert await exported(new, session_id="z") == ALL[6:]
    assert store.ledger is not None
