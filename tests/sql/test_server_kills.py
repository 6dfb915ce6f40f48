"""The server is killed in the middle of writes, and comes back."""

import asyncio
import signal
import time
from itertools import groupby

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from database_servers import wait_until_ready

WRITERS, SIZE = 8, 3

pytestmark = [
    pytest.mark.databases("postgresql", "mysql-aiomysql", "mysql-asyncmy", column_types=("text",)),
    # One worker's servers are killed, and none of another's.
    pytest.mark.xdist_group("server kills"),
]


@pytest.fixture
def server(request, database):
    """Return the running server; the ones that the environment names are not ours to kill."""
    kind = "postgresql" if database.dialect == "postgresql" else "mysql"
    server = request.getfixturevalue(f"{kind}_server")
    if server.process is None:
        pytest.skip("the server is not ours to kill: it was not started by the tests")
    asyncio.run(make_durable(server))
    yield server
    if server.process.poll() is not None:
        asyncio.run(restart(server))


async def make_durable(server):
    """Set the tests' MariaDB not to lose a second of commits, as no application should."""
    if server.admin.get_backend_name() == "mysql":
        setting = "SET GLOBAL innodb_flush_log_at_trx_commit = 1"
        await asyncio.to_thread(server.sql, setting)


# SQLAlchemy 2.0 lets one of asyncpg's own through, which is no DBAPI error.
LOST = (DBAPIError, OSError, asyncpg.InternalClientError)


async def restart(server):
    """Start the server anew; one that was killed may need its last children to end first."""
    deadline = time.monotonic() + 60
    while True:
        # From this thread: the server ends with the thread that started it.
        server.process = server.start()
        try:
            await asyncio.to_thread(wait_until_ready, server)
            return await make_durable(server)
        except Exception:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.2)


async def stop(server, how):
    server.process.send_signal(how)
    await asyncio.to_thread(server.process.wait)


async def write_until_it_fails(store, by, acknowledged, begun):
    """Append batches until the server is gone, and note which of them are certain."""
    for batch in range(1_000_000):
        begun.append((by, batch))
        try:
            session = store.session(f"s{by % 3}")
            await session.add_items([{"by": by, "batch": batch, "n": n} for n in range(SIZE)])
        except LOST:
            return
        acknowledged.append((by, batch))


async def check(store, acknowledged, begun):
    """Check that what was acknowledged is there, and what was not is whole or absent."""
    found = []
    for k in range(3):
        items = await store.session(f"s{k}").get_items()
        for key, run in groupby(items, lambda item: (item["by"], item["batch"])):
            assert [item["n"] for item in run] == list(range(SIZE))
            found.append(key)
    assert len(set(found)) == len(found)
    assert set(acknowledged) <= set(found) <= set(begun)


async def test_what_was_acknowledged_survives_a_kill_and_the_store_goes_on(database, server):
    await stop_twice(database, server, signal.SIGKILL)


@pytest.mark.databases("postgresql", column_types=("text",))
async def test_the_same_holds_for_an_immediate_shutdown(database, server):
    await stop_twice(database, server, signal.SIGQUIT)


async def stop_twice(database, server, how):
    """Stop the server in the middle of writes, start it and look; then once more."""
    engine = database.engine(pool_size=WRITERS)
    store = database.store(engine=engine)
    await store.session("other").add_items([{"n": n} for n in range(9)])
    acknowledged, begun = [], []
    for _ in range(2):
        writers = [
            asyncio.create_task(write_until_it_fails(store, by, acknowledged, begun))
            for by in range(WRITERS)
        ]
        await asyncio.sleep(0.7)
        assert len(acknowledged) > WRITERS
        await stop(server, how)
        await asyncio.gather(*writers)
        await restart(server)
        # The pool is full of connections to the server that was; nothing pings them.
        await asyncio.gather(*(use(store, k) for k in range(WRITERS)))
        await check(store, acknowledged, begun)
        assert engine.sync_engine.pool.checkedout() == 0
        assert {by for by, _ in begun} == set(range(WRITERS))
        await asyncio.gather(*(store.session(f"s{k}").clear_session() for k in range(3)))
        acknowledged.clear()
        begun.clear()


async def use(store, k):
    """Do every operation once, and each of them first in one of the tasks."""
    session = store.session(f"new-{k}")
    operations = [
        lambda: session.add_items([{"n": n} for n in range(4)]),
        lambda: session.get_items(),
        lambda: session.replace_items([{"n": n} for n in range(3)]),
        lambda: session.pop_item(),
        lambda: session.clear_session(),
    ]
    for turn in range(len(operations)):
        await operations[(k + turn) % len(operations)]()
    await session.replace_items([{"n": 1}])
    assert await session.get_items(5) == [{"n": 1}]
    await session.clear_session()


async def test_connections_that_the_server_closed_while_idle_are_replaced(database):
    engine = database.engine(pool_size=6)
    store = database.store(engine=engine)
    await asyncio.gather(*(use(store, k) for k in range(6)))
    if database.dialect == "postgresql":
        kill = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await database.execute(kill)
    else:
        ids = await database.execute(
            "SELECT id FROM information_schema.processlist WHERE db = database() "
            "AND id <> connection_id()"
        )
        for (number,) in ids:
            await database.execute(f"KILL CONNECTION {number}")
    await asyncio.sleep(0.2)
    await asyncio.gather(*(use(store, k) for k in range(6)))
