"""The runbooks of docs/operations.md, executed with workers that read and write all the while."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from agents.extensions.memory import EncryptedSession
from agents.extensions.memory import SQLAlchemySession as TheirSession

from strongroom import Key, Keyring, SessionStore, UnknownKeyError

sys.path.insert(0, str(Path(__file__).parent))

from fleet import Fleet
from runbook import residue, runbook
from worker import SHARED

pytestmark = [
    pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",)),
    pytest.mark.no_tables,
    pytest.mark.slow,
]

MASTER_KEY = "a master key that is no base64 at all"
STEPS = {
    "a": ["a.0", "a.1", "a.2", "a.3", "a.4"],
    "b": ["b.0", "b.1", "b.2", "b.3", "b.4"],
    "c": ["c.0", "c.1", "c.2", "c.3"],
    "d": ["d.0", "d.1", "d.2", "d.3"],
}


async def follow(letter, fleet, *, before=None):
    """Do what a runbook says, with workers from the first configuration on."""
    steps = []
    async with fleet:
        for action in runbook(letter):
            if action.step not in steps:
                steps.append(action.step)
                if before is not None:
                    await before(action.step)
            await do(action, fleet)
        await fleet.stop_all()
    assert steps == STEPS[letter]


async def do(action, fleet):
    """Do what one line of a runbook says."""
    if action.kind == "bash":
        await fleet.shell(action.code)
    elif action.kind == "Roll out":
        await fleet.roll_out()
    elif action.kind == "Stop every worker":
        await fleet.stop_all()
    else:
        if action.kind == "python":
            fleet.config = action.code
        if action.kind != "python" or action.step.endswith(".0"):
            await fleet.start_all()
            await fleet.all_work()


@pytest.fixture
def fleet(database, tmp_path):
    folder = tmp_path / "app"
    folder.mkdir()
    url = database.url
    if database.name == "sqlite-file":
        url = url.set(database=str(folder / "memory.db"))
        database.url = url
    return Fleet(folder, url.render_as_string(hide_password=False))


async def check(fleet, codec="orjson+aesgcm"):
    """Check that nothing is lost, doubled or moved, and that every row is in the final form."""
    keys = Keyring.from_file(fleet.folder / "keys")
    async with SessionStore.from_url(fleet.url, codec=codec, keys=keys) as store:
        stats = await store.stats()
        assert set(stats.formats) == {"json+aesgcm"}
        assert list(stats.key_ids) == [keys.primary.id]
        stored = dict(fleet.stored)
        shared = await store.session(SHARED).get_items()
        expected = stored.pop(SHARED)
        order = {json.dumps(item): place for place, item in enumerate(expected)}
        assert sorted(map(json.dumps, shared)) == sorted(order)
        for name in {item["content"].split()[0] for item in expected}:
            mine = [item for item in shared if item["content"].startswith(f"{name} ")]
            assert mine == [item for item in expected if item in mine]
        for session_id, items in stored.items():
            assert await store.session(session_id).get_items() == items
        assert stats.rows == len(shared) + sum(map(len, stored.values()))
        return keys


def files(fleet):
    """Return all bytes of a SQLite database."""
    return b"".join(path.read_bytes() for path in fleet.folder.glob("memory.db*"))


# The commands are the same everywhere: each runbook is followed on a file and on a server or two.


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
async def test_a_plaintext_store_is_encrypted_under_live_workers(database, fleet):
    async def leave_residue(step):
        # Free pages that hold plaintext for certain; those of recoded rows may be used again.
        if step == "a.3" and database.name == "sqlite-file":
            leave_free_pages(fleet.folder / "memory.db")

    fleet.ordered = False
    await make_tables_for_theirs(database, fleet)
    await follow("a", fleet, before=leave_residue)
    await check(fleet)
    if database.name == "sqlite-file":
        assert b" says " in files(fleet), "nothing to remove: the test is blind"
        await fleet.shell(residue())
        assert b" says " not in files(fleet)
        await check(fleet)


@pytest.mark.databases("sqlite-file", "mysql-aiomysql", column_types=("text",))
async def test_encrypted_session_is_left_under_live_workers(database, fleet):
    await make_tables_for_theirs(database, fleet)
    fleet.environment["STRONGROOM_MASTER_KEY"] = MASTER_KEY
    fleet.ordered = False
    await follow("b", fleet)
    await check(fleet)


@pytest.mark.databases("sqlite-file", "postgresql", column_types=("text",))
async def test_a_key_is_rotated_under_live_workers(fleet):
    await fleet.shell("strongroom keygen keys")
    await make_tables(fleet)
    old = Keyring.from_file(fleet.folder / "keys")
    await follow("c", fleet)
    keys = await check(fleet)
    assert old.primary not in keys
    async with SessionStore.from_url(fleet.url, codec="orjson+aesgcm", keys=old) as store:
        for session_id in fleet.stored:
            with pytest.raises(UnknownKeyError):
                await store.session(session_id).get_items(limit=1)


@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_a_key_that_a_row_still_needs_is_not_dropped(fleet):
    await fleet.shell("strongroom keygen keys")
    await make_tables(fleet)
    old = Keyring.from_file(fleet.folder / "keys")
    actions = [action for action in runbook("c") if action.kind == "bash"]
    for action in actions:
        if action.step != "c.3":
            await fleet.shell(action.code)
    await write(fleet, old, "late", {"role": "user", "content": "written after the recode"})
    with pytest.raises(AssertionError, match="UnknownKeyError"):
        for action in actions:
            if action.step == "c.3":
                await fleet.shell(without_recode(action.code))
    assert old.primary in Keyring.from_file(fleet.folder / "keys")
    async with SessionStore.from_url(fleet.url, codec="orjson+aesgcm", keys=old) as store:
        assert len(await store.session("late").get_items()) == 1


def without_recode(code):
    """Return commands that leave the row as it is, as if a worker had written it behind them."""
    return "".join(line for line in code.splitlines(True) if " recode " not in line)


@pytest.mark.databases("sqlite-file", "mysql-aiomysql", column_types=("text",))
async def test_a_leaked_key_is_replaced(fleet):
    await fleet.shell("strongroom keygen keys")
    await make_tables(fleet)
    leaked = Keyring.from_file(fleet.folder / "keys")
    forged = {"role": "user", "content": "forged"}

    async def forge(step):
        if step == "d.2":
            await write(fleet, leaked, "attacked", forged)

    await follow("d", fleet, before=forge)
    # The docs say that recoding cannot undo this: the row was encrypted like any other.
    fleet.stored["attacked"] = [forged]
    await check(fleet)
    # And what it ends: no row is forged any more.
    await write(fleet, leaked, "later", forged)
    with pytest.raises(AssertionError, match="UnknownKeyError"):
        await fleet.shell("strongroom verify --codec orjson+aesgcm --key-file keys >&2")


def leave_free_pages(path):
    """Write and delete rows as a SQLite does that does not overwrite what it deletes."""
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        rows = [(f"nobody says {n} " * 100,) for n in range(400)]
        with connection:
            connection.execute("INSERT INTO agent_sessions (session_id) VALUES ('gone')")
            connection.executemany(
                "INSERT INTO agent_messages (session_id, message_data) VALUES ('gone', ?)", rows
            )
        with connection:
            connection.execute("DELETE FROM agent_messages WHERE session_id = 'gone'")
            connection.execute("DELETE FROM agent_sessions WHERE session_id = 'gone'")


async def make_tables(fleet):
    async with SessionStore.from_url(fleet.url) as store:
        await store.create_tables()


async def make_tables_for_theirs(database, fleet):
    """Make tables where openai-agents' class cannot: its columns have no length for MySQL."""
    if database.dialect == "mysql":
        await make_tables(fleet)


async def write(fleet, keys, session_id, item):
    """Write a row with keys that no worker writes with."""
    async with SessionStore.from_url(fleet.url, codec="orjson+aesgcm", keys=keys) as store:
        await store.session(session_id).add_items([item])


@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_what_the_order_of_runbook_a_avoids(database):
    """openai-agents' class skips sealed rows and pops them away."""
    keys = Keyring(Key.generate())
    await database.session(codec="orjson+aesgcm", keys=keys).add_items([{"n": 1}])
    theirs = TheirSession("s", engine=database.engine())
    assert await theirs.get_items() == []
    await theirs.pop_item()
    assert await database.rows() == []


@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_what_the_bridge_of_runbook_b_avoids(database):
    """EncryptedSession skips sealed rows, whatever reads them for it."""
    keys = Keyring(Key.generate())
    sealed = database.session(codec="orjson+aesgcm", keys=keys)
    await sealed.add_items([{"n": 1}])
    theirs = EncryptedSession("s", underlying_session=sealed, encryption_key=MASTER_KEY)
    assert await theirs.get_items() == []


@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_a_worker_notices_what_it_cannot_read(fleet):
    """The workers of these tests can fail: step c.2 without step c.1."""
    await fleet.shell("strongroom keygen keys")
    await make_tables(fleet)
    fleet.config = next(a.code for a in runbook("c") if a.kind == "python")
    async with fleet:
        await fleet.start_all()
        await fleet.shell("strongroom keygen keys --add --primary")
        with pytest.raises(AssertionError, match="UnknownKeyError"):
            await fleet.roll_out()
