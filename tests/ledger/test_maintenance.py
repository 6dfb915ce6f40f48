"""Work over a whole store keeps its ledger valid, or refuses to begin."""

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tampering import Tamperer
from test_witness import MemoryWitness

from histories import n
from strongroom import ConflictError, HistoryTamperedError, Key, Keyring, Ledger
from strongroom.maintenance import copy, recode, verify

KEYS = [Key(bytes([number]) * 32) for number in range(4)]
OLD, BOTH, NEW = (Keyring(*keys) for keys in ((KEYS[0],), (KEYS[1], KEYS[0]), (KEYS[1],)))
some_databases = pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql")


@some_databases
async def test_recode_keeps_uids_and_heads(database):
    ledger = Ledger(OLD)
    store = database.store(codec="orjson", ledger=ledger)
    await store.session("s").add_items(n(*range(300)))
    before, head = await Tamperer(database).rows(), await Tamperer(database).head()
    sealed = database.store(codec="orjson+aesgcm", keys=Keyring(KEYS[2]), ledger=ledger)
    from strongroom import Codec

    accepting = Codec.parse("orjson+aesgcm", keys=Keyring(KEYS[2]), accept=("plaintext",))
    report = await recode(database.store(codec=accepting, ledger=ledger))
    assert (report.recoded, report.ok) == (300, True)
    assert await Tamperer(database).head() == head
    assert [(r[0], r[3]) for r in await Tamperer(database).rows()] == [(r[0], r[3]) for r in before]
    assert await sealed.session("s").get_items() == n(*range(300))
    assert (await verify(sealed)).ok


@some_databases
async def test_recode_does_not_launder_an_edit(database):
    ledger = Ledger(OLD)
    store = database.store(codec="orjson", ledger=ledger)
    await store.session("s").add_items(n(1, 2, 3))
    row_id, value = (await database.rows())[1]
    changed = value.replace(b"2}", b"9}") if isinstance(value, bytes) else value.replace("2}", "9}")
    await Tamperer(database).set(row_id, changed)
    report = await recode(database.store(codec="msgpack", ledger=ledger))
    assert [failure.row_id for failure in report.failures] == [row_id]
    assert dict(await database.rows())[row_id] == changed
    for codec in ("orjson", "msgpack"):
        with pytest.raises(HistoryTamperedError):
            await database.session(codec=codec, ledger=ledger).get_items()


@some_databases
async def test_recode_brings_rows_and_heads_under_the_primary_ledger_key(database):
    witness = MemoryWitness()
    store = database.store(codec="orjson", ledger=Ledger(OLD, witness))
    for name in ("a", "b"):
        await store.session(name).add_items(n(1, 2))
    await store.session("b").clear_session()
    report = await recode(database.store(codec="orjson", ledger=Ledger(BOTH, witness)))
    assert report.recoded == 2
    store = database.store(codec="orjson", ledger=Ledger(NEW, witness))
    assert await store.session("a").get_items() == n(1, 2)
    assert await store.session("b").get_items() == []
    await store.session("b").add_items(n(3))
    again = await recode(store)
    assert (again.recoded, again.ok) == (0, True)


@some_databases
async def test_recode_under_live_traffic_leaves_valid_histories(database):
    ledger = Ledger(OLD)
    first = database.store(codec="orjson", ledger=ledger)
    await first.session("s").add_items(n(*range(60)))
    done = asyncio.Event()

    async def write():
        session = database.session(codec="msgpack", ledger=ledger)
        for number in range(12):
            await session.add_items(n(1000 + number, 2000 + number))
            if number % 3 == 2:
                await session.pop_item()
        done.set()

    async def rewrite():
        while not done.is_set():
            await recode(database.store(codec="msgpack", ledger=ledger), batch_rows=7)

    await asyncio.gather(write(), rewrite())
    store = database.store(codec="msgpack", ledger=ledger)
    assert (await verify(store)).ok
    assert (await store.session("s").get_items())[:60] == n(*range(60))
    assert len(await store.session("s").get_items()) == 60 + 24 - 4


@some_databases
async def test_verify_finds_what_a_read_would_refuse(database):
    ledger = Ledger(OLD)
    store = database.store(codec="orjson", ledger=ledger)
    for name in ("altered", "cut", "emptied", "good", "headless"):
        await store.session(name).add_items(n(1, 2))
    tamperer = Tamperer(database)
    row_id, value = (await database.rows("altered"))[0]
    await tamperer.set(row_id, value[:-1])
    await tamperer.delete((await database.rows("cut"))[-1][0])
    await tamperer.delete_rows("emptied")
    await tamperer.sql("DELETE FROM agent_sessions WHERE session_id = :s", s=_key(database))
    await tamperer.delete_head("headless")
    report = await verify(store)
    assert sorted(failure.session_id for failure in report.failures) == [
        "altered",
        "cut",
        "emptied",
        "headless",
    ]


def _key(database):
    return b"emptied" if database.dialect == "mysql" else "emptied"


@some_databases
async def test_a_fork_is_a_valid_history_of_its_own(database):
    store = database.store(codec="orjson", ledger=Ledger(OLD))
    await store.session("a").add_items(n(1, 2, 3))
    assert await store.fork("a", "b", 2) == 2
    assert await store.session("b").get_items() == n(1, 2)
    with pytest.raises(ValueError, match="has items already"):
        await store.fork("a", "b")
    await Tamperer(database).delete((await database.rows("a"))[0][0])
    with pytest.raises(HistoryTamperedError):
        await store.fork("a", "c")


@some_databases
async def test_forks_into_one_session_at_once_make_one(database):
    store = database.store(codec="orjson", ledger=Ledger(OLD))
    await store.session("a").add_items(n(1, 2, 3))
    results = await asyncio.gather(
        *(store.fork("a", "b") for _ in range(5)), return_exceptions=True
    )
    assert sum(result == 3 for result in results) == 1
    assert all(isinstance(result, ValueError) for result in results if result != 3)
    assert await store.session("b").get_items() == n(1, 2, 3)


@some_databases
async def test_a_deleted_session_leaves_a_head_that_says_so(database):
    store = database.store(codec="orjson", ledger=Ledger(OLD, MemoryWitness()))
    await store.session("a").add_items(n(1))
    yesterday = await Tamperer(database).snapshot("a")
    assert await store.delete_session("a")
    assert not await store.delete_session("a")
    assert await store.session("a").get_items() == []
    await Tamperer(database).restore_rows(yesterday, "a")
    with pytest.raises(HistoryTamperedError):
        await store.session("a").get_items()


@some_databases
async def test_an_export_refuses_what_a_read_refuses(database):
    store = database.store(codec="orjson", ledger=Ledger(OLD))
    await store.session("a").add_items(n(1, 2))
    assert len([line async for line in store.export_items()]) == 2
    await Tamperer(database).delete((await database.rows("a"))[0][0])
    with pytest.raises(HistoryTamperedError):
        pytest.fail(str([line async for line in store.export_items()]))


@some_databases
async def test_import_keeps_times_and_goes_on_where_it_stopped(database):
    plain = database.store(codec="orjson")
    await plain.session("a").add_items(n(*range(25)))
    await plain.session("b").add_items(n(1))
    lines = [line async for line in plain.export_items()]
    await plain.delete_session("a")
    await plain.delete_session("b")
    store = database.store(codec="orjson", ledger=Ledger(OLD, MemoryWitness()))
    assert await store.import_items(lines[:11], batch_rows=4) == 11
    assert await store.import_items(lines, batch_rows=4) == 15
    assert await store.session("a").get_items() == n(*range(25))
    assert [line async for line in store.export_items()] == lines
    assert await store.import_items(lines, append=True) == 26
    assert (await verify(store)).ok
    other = [line.replace('"n":1}', '"n":2}') for line in lines]
    with pytest.raises(ConflictError):
        await store.import_items(other)
    assert (await verify(store)).ok


@some_databases
@pytest.mark.parametrize("way", ["into a ledger", "from a ledger", "to another key"])
async def test_copy_makes_valid_histories(database, way):
    ledgers = {
        "into a ledger": (None, Ledger(OLD)),
        "from a ledger": (Ledger(OLD), None),
        "to another key": (Ledger(OLD), Ledger(NEW)),
    }[way]
    source = database.store(codec="orjson", ledger=ledgers[0])
    target = database.store(
        codec="msgpack", ledger=ledgers[1], sessions_table="s2", messages_table="m2"
    )
    await source.session("a").add_items(n(*range(30)))
    await source.session("b").add_items(n(1))
    for copied in (31, 0):
        report = await copy(source, target, batch_rows=7)
        assert (report.ok, report.copied) == (True, copied)
    assert await target.session("a").get_items() == n(*range(30))
    assert (await verify(target)).ok
    theirs = [line async for line in source.export_items()]
    assert [line async for line in target.export_items()] == theirs


@some_databases
async def test_copy_says_that_its_source_was_changed(database):
    source = database.store(codec="orjson", ledger=Ledger(OLD))
    target = database.store(codec="orjson", sessions_table="s2", messages_table="m2")
    await source.session("a").add_items(n(1, 2, 3))
    await Tamperer(database).delete((await database.rows("a"))[1][0])
    with pytest.raises(HistoryTamperedError):
        await copy(source, target)
