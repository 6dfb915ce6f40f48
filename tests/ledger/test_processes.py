"""Several processes on one history, and processes killed in the middle of writing it."""

import asyncio
import multiprocessing
import random
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import ledger_writer

from histories import check_batches
from strongroom import FileWitness, Key, Keyring, Ledger
from strongroom.maintenance import verify

pytestmark = pytest.mark.slow

KEY = bytes(range(32))
KILLS = 50
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["strongroom.session.session", "aiosqlite", "asyncpg"])


def url_of(database):
    return database.url.render_as_string(hide_password=False)


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
@pytest.mark.parametrize("witnessed", [False, True], ids=["alone", "witness"])
async def test_eight_processes_append_to_one_session_and_lose_nothing(
    database, witnessed, tmp_path
):
    folder = str(tmp_path / "witness") if witnessed else None
    witness = FileWitness(folder, create=True) if folder else None
    ledger = Ledger(Keyring(Key(KEY)), witness)
    session = database.session(codec="orjson", ledger=ledger)
    await session.clear_session()
    names = [[f"w{k}", f"x{k}"] for k in range(8)]
    started = [
        PROCESSES.Process(
            target=ledger_writer.append_batches,
            args=(url_of(database), database.column_type, KEY, pair, 4, 3, folder),
        )
        for pair in names
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
    assert [process.exitcode for process in started] == [0] * 8
    check_batches(await session.get_items(), sum(names, []))  # noqa: RUF017
    assert (await verify(database.store(codec="orjson", ledger=ledger))).ok


async def backends(database):
    """Return the processes of a PostgreSQL that serve this database."""
    if database.dialect != "postgresql":
        return set()
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    return set(await database.execute(query))


async def alone(database, ours):
    """Wait until the server has ended what a dead writer asked for last."""
    async with asyncio.timeout(60):
        while await backends(database) > ours:  # noqa: ASYNC110 - it is another process that ends
            await asyncio.sleep(0.01)


@pytest.mark.databases("sqlite-file", "postgresql")
async def test_a_killed_writer_leaves_a_history_that_verifies_without_repair(database, tmp_path):
    """A quarter of the kills for each of the four; 50 in all."""
    folder = str(tmp_path / "witness")
    ledger = Ledger(Keyring(Key(KEY)), FileWitness(folder, create=True))
    session = database.session(codec="orjson", ledger=ledger)
    await session.clear_session()
    chance = random.Random(f"{database.name} {database.column_type}")
    await backends(database)
    ours = await backends(database)
    for _ in range(-(-KILLS // 4)):
        begun = PROCESSES.Event()
        killed = PROCESSES.Process(
            target=ledger_writer.write_until_killed,
            args=(url_of(database), database.column_type, KEY, folder, begun),
        )
        killed.start()
        assert begun.wait(60)
        killed.join(chance.uniform(0.0, 0.05))
        killed.kill()
        killed.join()
        assert killed.exitcode == -signal.SIGKILL
        await alone(database, ours)
        items = await session.get_items()
        assert await session.get_items(3) == items[-3:]
        assert (await verify(database.store(codec="orjson", ledger=ledger))).ok
        await session.add_items([{"turn": -1, "n": 0, "of": 1}])
        assert await session.pop_item() == {"turn": -1, "n": 0, "of": 1}
        assert await session.get_items() == items
