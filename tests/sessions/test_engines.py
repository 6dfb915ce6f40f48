"""Engines as users configure them: isolation levels, pools, echo and events."""

import asyncio
import logging

import pytest
from sqlalchemy import event, pool

from histories import n

pytestmark = pytest.mark.databases(
    "sqlite-file",
    "sqlite-memory",
    "postgresql",
    "mysql-aiomysql",
    "mysql-asyncmy",
    column_types=("text",),
)


ENGINES = {
    "defaults": {},
    "autocommit": {"isolation_level": "AUTOCOMMIT"},
    "serializable": {"isolation_level": "SERIALIZABLE"},
    "null pool": {"poolclass": pool.NullPool},
    "static pool": {"poolclass": pool.StaticPool},
    "static pool, autocommit": {"poolclass": pool.StaticPool, "isolation_level": "AUTOCOMMIT"},
    "one connection": {"poolclass": pool.AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0},
    "pre-ping": {"pool_pre_ping": True},
    "no reset": {"pool_reset_on_return": None},
}


# A transaction is opened in the same way whatever the pool; the isolation level makes a difference.
CONFIGURATIONS = [
    *((name, False) for name in ENGINES),
    *((name, True) for name in ("defaults", "autocommit", "serializable", "one connection")),
]
with_each_engine = pytest.mark.parametrize(
    "configuration",
    CONFIGURATIONS,
    ids=[f"{name}, transactions" if with_ else name for name, with_ in CONFIGURATIONS],
)
# In memory every pool has one connection, and asyncmy differs from aiomysql in its connections.
some_engines = [
    pytest.mark.representatives(
        "sqlite-memory",
        configuration=[(name, False) for name in ("defaults", "autocommit", "one connection")],
    ),
    pytest.mark.representatives(
        "mysql-asyncmy",
        configuration=[
            *((name, False) for name in ("defaults", "autocommit", "serializable", "pre-ping")),
            ("defaults", True),
        ],
    ),
]


def each_engine(test):
    """Run a test with each configuration that can fail in a way of its own."""
    for mark in (with_each_engine, *some_engines):
        test = mark(test)
    return test


@pytest.fixture
def engine(database, configuration):
    return database.engine(**ENGINES[configuration[0]])


@pytest.fixture
def transactions(configuration):
    return configuration[1]


@each_engine
async def test_every_operation_works(database, engine, transactions):
    store = database.store(engine=engine, transactions=transactions)
    session = store.session("s")
    assert await session.get_items() == []
    await session.add_items(n(1, 2, 3))
    await session.add_items(n(4))
    assert await session.get_items() == n(1, 2, 3, 4)
    assert await session.get_items(2) == n(3, 4)
    assert await session.pop_item() == {"n": 4}
    snapshot = await session._get_compaction_snapshot(5)
    assert await snapshot.replace_suffix(1, n(9)) is True
    assert [item async for item in session.iter_items(1)] == n(1, 9)
    await session.replace_items(n(5, 6))
    assert await session.get_items() == n(5, 6)
    await session.clear_session()
    assert await session.get_items() == []
    assert await session.pop_item() is None


@each_engine
async def test_many_tasks_at_once(database, engine, transactions):
    store = database.store(engine=engine, transactions=transactions)

    async def use(k):
        session = store.session(f"s{k % 3}")
        await session.add_items([{"by": k, "n": i} for i in range(4)])
        assert await session.get_items(1)
        return await session.pop_item()

    popped = await asyncio.gather(*(use(k) for k in range(30)))
    left = [item for k in range(3) for item in await store.session(f"s{k}").get_items()]
    seen = sorted((item["by"], item["n"]) for item in [*popped, *left])
    assert seen == [(k, i) for k in range(30) for i in range(4)]


@each_engine
async def test_a_statement_that_fails_takes_the_whole_operation_back(
    database, engine, transactions
):
    store = database.store(engine=engine, transactions=transactions)
    await store.session("s").add_items(n(1, 2))

    def refuse(conn, cursor, statement, *rest):
        if refusing and "agent_messages" in statement and refusing in statement.upper():
            raise RuntimeError("refused")

    refusing = ""
    event.listen(engine.sync_engine, "before_cursor_execute", refuse)
    refusing = "INSERT"
    for write in (store.session("s").add_items, store.session("s").replace_items):
        with pytest.raises(RuntimeError, match="refused"):
            await write(n(3))
    with pytest.raises(RuntimeError, match="refused"):
        await store.session("new").add_items(n(3))
    refusing = ""
    assert await store.session("s").get_items() == n(1, 2)
    async with engine.connect() as conn:
        sessions = (await conn.exec_driver_sql("SELECT count(*) FROM agent_sessions")).scalar()
    assert sessions == 1


OPERATIONS = {
    "get_items": lambda s: s.get_items(),
    "get_items with a limit": lambda s: s.get_items(1),
    "iter_items": lambda s: anext(s.iter_items()),
    "add_items": lambda s: s.add_items(n(1)),
    "pop_item": lambda s: s.pop_item(),
    "replace_items": lambda s: s.replace_items(n(2)),
    "clear_session": lambda s: s.clear_session(),
}


@pytest.mark.no_tables
async def test_events_see_every_statement(database):
    engine = database.engine()
    seen = []
    event.listen(
        engine.sync_engine, "before_cursor_execute", lambda c, cursor, sql, *rest: seen.append(sql)
    )
    session = database.session(engine=engine)
    await session.add_items(n(1, 2))
    assert any("CREATE TABLE" in sql for sql in seen)
    for name, operation in OPERATIONS.items():
        seen.clear()
        await operation(session)
        table = "agent_sessions" if name == "clear_session" else "agent_messages"
        assert any(table in sql for sql in seen), name


async def test_echo_shows_every_operation(database, caplog):
    session = database.session(engine=database.engine(echo=True))
    await session.add_items(n(1, 2))
    for name, operation in OPERATIONS.items():
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="sqlalchemy.engine"):
            await operation(session)
        assert ("agent_sessions" if name == "clear_session" else "agent_messages") in caplog.text


async def test_with_transactions_a_begin_event_comes_before_every_operation(database):
    engine = database.engine()
    seen = []
    event.listen(engine.sync_engine, "begin", lambda conn: seen.append("begin"))
    event.listen(engine.sync_engine, "commit", lambda conn: seen.append("commit"))
    event.listen(
        engine.sync_engine,
        "before_cursor_execute",
        lambda conn, cursor, sql, *rest: seen.append("sql"),
    )
    session = database.session(engine=engine, transactions=True)
    await session.add_items(n(1, 2))
    for name, operation in OPERATIONS.items():
        seen.clear()
        await operation(session)
        assert seen[0] == "begin", name
        if not name.startswith(("get", "iter")):
            assert seen[-1] == "commit", name


async def test_connections_go_back_as_the_user_configured_them(database):
    engine = database.engine(isolation_level="SERIALIZABLE")
    session = database.session(engine=engine)
    await session.add_items(n(1, 2))
    await session.pop_item()
    async with engine.connect() as conn:
        assert await conn.get_isolation_level() == "SERIALIZABLE"
        if database.dialect == "postgresql":
            shown = (await conn.exec_driver_sql("SHOW transaction_isolation")).scalar()
            assert shown == "serializable"
