"""A witness refuses what the database alone cannot show: earlier states of a whole session."""

import asyncio
import sys
from pathlib import Path

import pytest
from sqlalchemy import event, text

sys.path.insert(0, str(Path(__file__).parent))

from tampering import Tamperer

from histories import n
from strongroom import (
    FileWitness,
    HistoryTamperedError,
    Key,
    Keyring,
    Ledger,
    WitnessError,
)

pytestmark = pytest.mark.text_on_servers

KEYS = Keyring(Key(bytes(range(32))))
some_databases = pytest.mark.databases(
    "sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",)
)
one_database = pytest.mark.databases("sqlite-file", column_types=("text",))


class MemoryWitness:
    """Remembers in memory, and can be told to fail, to wait, or to keep a diary."""

    def __init__(self, diary=None):
        self.heads = {}
        self.diary = diary if diary is not None else []
        self.failing = False
        self.gate = None
        self.reached = asyncio.Event()

    async def seen(self, key):
        self.diary.append("seen")
        if self.failing == "seen":
            raise OSError("no route to the witness")
        return self.heads.get(key)

    async def advance(self, key, version, tag):
        if self.gate is not None:
            self.reached.set()
            await self.gate.wait()
        if self.failing:
            raise OSError("no route to the witness")
        self.diary.append(f"advance {version}")
        if version > self.heads.get(key, (0, b""))[0]:
            self.heads[key] = (version, tag)


OPERATIONS = {
    "whole read": lambda s: s.get_items(),
    "last read": lambda s: s.get_items(1),
    "stream": lambda s: _streamed(s),
    "append": lambda s: s.add_items(n(9)),
    "replace": lambda s: s.replace_items(n(9)),
    "pop": lambda s: s.pop_item(),
    "clear": lambda s: s.clear_session(),
}
each_operation = pytest.mark.parametrize("name", OPERATIONS)


async def _streamed(session):
    return [item async for item in session.iter_items()]


@some_databases
@each_operation
async def test_a_full_restore_is_refused(database, name):
    session = database.session(ledger=Ledger(KEYS, MemoryWitness()))
    await session.add_items(n(1, 2))
    yesterday = await Tamperer(database).snapshot()
    await session.add_items(n(3))
    await Tamperer(database).restore(yesterday)
    with pytest.raises(HistoryTamperedError, match="version 1, and the witness has seen 2"):
        await OPERATIONS[name](session)
    assert await database.rows() == [(row[0], row[2]) for row in yesterday.rows]


@some_databases
@each_operation
async def test_a_session_that_was_deleted_with_its_head_is_refused(database, name):
    session = database.session(ledger=Ledger(KEYS, MemoryWitness()))
    await session.add_items(n(1, 2))
    await Tamperer(database).delete_rows()
    await Tamperer(database).delete_head()
    with pytest.raises(HistoryTamperedError, match="head is missing, and the witness has seen"):
        await OPERATIONS[name](session)


@some_databases
@each_operation
async def test_another_head_of_the_same_version_is_refused(database, name):
    witness = MemoryWitness()
    session = database.session(ledger=Ledger(KEYS, witness))
    await session.add_items(n(1))
    yesterday = await Tamperer(database).snapshot()
    remembered = dict(witness.heads)
    await session.add_items(n(2))
    seen = dict(witness.heads)
    witness.heads = remembered
    await Tamperer(database).restore(yesterday)
    engine = database.engine()
    await database.session(ledger=Ledger(KEYS, witness), engine=engine).add_items(n(3))
    witness.heads = seen
    for where in (database.engine(), engine):
        session = database.session(ledger=Ledger(KEYS, witness), engine=where)
        with pytest.raises(HistoryTamperedError, match="another head of this version"):
            await OPERATIONS[name](session)


@one_database
@each_operation
async def test_the_witness_is_asked_before_the_store_is_read(database, name):
    diary = []
    session = database.session(ledger=Ledger(KEYS, MemoryWitness(diary)))
    await session.add_items(n(1, 2))
    diary.clear()
    event.listen(
        database.shared.sync_engine,
        "before_cursor_execute",
        lambda *args: diary.append(args[2].split()[0]),
    )
    await OPERATIONS[name](session)
    assert diary[0] == "seen"
    assert diary.count("seen") >= 1
    wrote = [word for word in diary if word in {"UPDATE", "INSERT", "DELETE"}]
    if wrote:
        assert diary[-1].startswith("advance")
        assert [word for word in diary if word.startswith("advance")] == ["advance 2"]


@some_databases
async def test_a_store_that_is_ahead_is_honest_and_the_witness_catches_up(database):
    witness = MemoryWitness()
    session = database.session(ledger=Ledger(KEYS, witness))
    await session.add_items(n(1))
    behind = dict(witness.heads)
    await session.add_items(n(2))
    ahead = dict(witness.heads)
    witness.heads = behind  # as after a crash between the commit and the advance
    assert await session.get_items() == n(1, 2)
    assert witness.heads == ahead
    witness.heads = dict(behind)
    await session.add_items(n(3))
    assert next(iter(witness.heads.values()))[0] == 3


@some_databases
@pytest.mark.parametrize("name", ["append", "replace", "pop", "clear"])
async def test_an_advance_that_fails_says_that_the_change_is_stored(database, name):
    witness = MemoryWitness()
    session = database.session(ledger=Ledger(KEYS, witness))
    await session.add_items(n(1, 2))
    witness.failing = "advance"
    with pytest.raises(WitnessError, match="change is stored") as caught:
        await OPERATIONS[name](session)
    assert caught.value.committed
    assert isinstance(caught.value.__cause__, OSError)
    witness.failing = False
    expected = {"append": n(1, 2, 9), "replace": n(9), "pop": n(1), "clear": []}
    assert await session.get_items() == expected[name]
    assert next(iter(witness.heads.values()))[0] == 2


@one_database
@each_operation
async def test_a_witness_that_cannot_be_asked_stops_everything(database, name):
    witness = MemoryWitness()
    session = database.session(ledger=Ledger(KEYS, witness))
    await session.add_items(n(1, 2))
    rows = await database.rows()
    witness.failing = "seen"
    with pytest.raises(WitnessError) as caught:
        await OPERATIONS[name](session)
    assert not caught.value.committed
    assert caught.value.session_id == "s"
    assert await database.rows() == rows


@some_databases
async def test_cancelling_after_the_commit_still_tells_the_witness(database):
    witness = MemoryWitness()
    session = database.session(ledger=Ledger(KEYS, witness))
    await session.add_items(n(1))
    witness.gate = asyncio.Event()
    task = asyncio.create_task(session.add_items(n(2)))
    await witness.reached.wait()
    assert len(await database.rows()) == 2
    task.cancel()
    await asyncio.sleep(0.05)
    assert not task.done()
    witness.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert next(iter(witness.heads.values()))[0] == 2
    assert await session.get_items() == n(1, 2)


@pytest.mark.databases("postgresql", "mysql-aiomysql", column_types=("text",))
async def test_cancelling_before_the_commit_is_not_held_up(database):
    """A write that waits for a lock is not shielded: only telling the witness is."""
    session = database.session(ledger=Ledger(KEYS, MemoryWitness()))
    await session.add_items(n(1))
    async with database.engine().connect() as conn:
        await conn.execute(text("SELECT * FROM agent_sessions_heads FOR UPDATE"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await session.add_items(n(2))
        await conn.rollback()
    assert await session.get_items() == n(1)


@some_databases
async def test_sessions_and_namespaces_have_records_of_their_own(database):
    witness = MemoryWitness()
    for session_id, namespace in (("a", ""), ("b", ""), ("c", "x"), ("c2", "y")):
        ledger = Ledger(KEYS, witness)
        await database.session(session_id, namespace=namespace, ledger=ledger).add_items(n(1))
    assert len(witness.heads) == 4
    assert all(len(key) == 32 for key in witness.heads)


@some_databases
async def test_a_file_witness_refuses_a_full_restore(database, tmp_path):
    witness = FileWitness(tmp_path / "witness", create=True)
    session = database.session(ledger=Ledger(KEYS, witness))
    await session.add_items(n(1))
    yesterday = await Tamperer(database).snapshot()
    assert await session.pop_item() == {"n": 1}
    await Tamperer(database).restore(yesterday)
    session = database.session(ledger=Ledger(KEYS, FileWitness(tmp_path / "witness")))
    with pytest.raises(HistoryTamperedError):
        await session.get_items()
