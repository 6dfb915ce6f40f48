"""What a cancelled operation leaves on the server: no lock, and no transaction."""

import asyncio
import contextlib

import pytest

from histories import n

MOST_TURNS = 300

pytestmark = pytest.mark.databases(
    "postgresql", "mysql-aiomysql", "mysql-asyncmy", column_types=("text",)
)

OPERATIONS = {
    "get_items": lambda s: s.get_items(),
    "add_items": lambda s: s.add_items(n(3)),
    "pop_item": lambda s: s.pop_item(),
    "replace_items": lambda s: s.replace_items(n(1, 2)),
    "clear_session": lambda s: s.clear_session(),
}

LEFT = {
    "postgresql": (
        "SELECT a.state, l.locktype, l.mode FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
        "WHERE a.datname = current_database() AND pid <> pg_backend_pid() "
        "UNION ALL SELECT state, '', '' FROM pg_stat_activity "
        "WHERE datname = current_database() AND state LIKE 'idle in%'"
    ),
    "mysql": "SELECT trx_mysql_thread_id, trx_state, trx_query FROM information_schema.innodb_trx",
}


async def left_on(database):
    """Return what the server holds, once it has had time to notice that a client has gone."""
    left = []
    for _ in range(50):
        left = await database.execute(LEFT[database.dialect])
        if not left:
            break
        # InnoDB shows an old copy of its transactions to who asks again within 100 ms.
        await asyncio.sleep(0.2)
    return left


@pytest.mark.parametrize("transactions", [False, True], ids=["", "transactions"])
@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_cancelled_operation_leaves_no_lock(database, name, transactions):
    engine = database.engine()
    store = database.store(engine=engine, transactions=transactions)
    await store.create_tables()
    cancelled = 0
    for turns in range(MOST_TURNS):
        await database.session().replace_items(n(1, 2))
        task = asyncio.create_task(OPERATIONS[name](store.session("s")))
        for _ in range(turns):
            await asyncio.sleep(0)
        if not task.cancel():
            await task
            break
        with contextlib.suppress(asyncio.CancelledError):
            await task
        cancelled += 1
        if turns % 5 == 0:
            assert await left_on(database) == []
    assert cancelled > 3
    assert await left_on(database) == []
    assert engine.sync_engine.pool.checkedout() == 0


async def test_a_lock_that_is_held_is_seen(database):
    """Show that the test above can fail."""
    await database.session().add_items(n(1))
    async with database.engine().begin() as conn:
        await conn.exec_driver_sql("UPDATE agent_sessions SET updated_at = CURRENT_TIMESTAMP")
        async with asyncio.timeout(30):
            # InnoDB may show a copy of its transactions from before this one.
            while await database.execute(LEFT[database.dialect]) == []:  # noqa: ASYNC110
                await asyncio.sleep(0.2)


async def test_a_task_cancelled_while_it_waits_for_a_lock_leaves_none(database):
    await database.session().add_items(n(1))
    store = database.store(engine=database.engine())
    await store.session("s").get_items()
    async with database.engine().begin() as conn:
        await conn.exec_driver_sql("UPDATE agent_sessions SET updated_at = CURRENT_TIMESTAMP")
        tasks = [
            asyncio.create_task(operation(store.session("s")))
            for name, operation in OPERATIONS.items()
            if name != "get_items"
        ]
        await asyncio.sleep(0.3)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert await left_on(database) == []
    assert await database.session().get_items() == n(1)
