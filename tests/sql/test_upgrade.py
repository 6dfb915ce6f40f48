"""``store.upgrade()``: the index for tables that openai-agents, or a hand, made without it."""

import asyncio
import contextlib

import pytest
from agents.extensions.memory import SQLAlchemySession as TheirSession
from sqlalchemy import inspect, text

from histories import check_batches, n

INDEX = "idx_agent_messages_session_id"
ROWS = 3000

pytestmark = [
    pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",)),
    pytest.mark.no_tables,
]


async def tables_without_the_index(database):
    """Let openai-agents make the tables; on MySQL, where it cannot, drop the index of ours."""
    if database.dialect == "mysql":
        await database.store().create_tables()
        # The foreign key goes on with an index of its own.
        await database.execute("ALTER TABLE agent_messages ADD INDEX their_own (session_id)")
        await database.execute(f"ALTER TABLE agent_messages DROP INDEX {INDEX}")
    theirs = TheirSession("theirs", engine=database.shared, create_tables=True)
    if database.dialect != "mysql":
        await theirs.add_items(n(0))
    await database.session("many").add_items(n(*range(ROWS)))


async def indexes(database):
    async with database.shared.connect() as conn:
        found = await conn.run_sync(lambda sync: inspect(sync).get_indexes("agent_messages"))
    return [index["name"] for index in found if index["column_names"] == ["session_id", "id"]]


def told(caplog):
    return [record for record in caplog.records if "no index" in record.message]


async def test_the_missing_index_is_logged_once_and_then_added(database, caplog):
    await tables_without_the_index(database)
    caplog.clear()
    engine = database.engine()
    store = database.store(engine=engine)
    for _ in range(2):
        assert await database.session("many", engine=engine).get_items(2) == n(ROWS - 2, ROWS - 1)
    assert await indexes(database) == []
    assert len(told(caplog)) == 1
    assert await store.upgrade() is True
    assert await indexes(database) == [INDEX]
    assert await store.upgrade() is False
    caplog.clear()
    assert await store.session("many").get_items(2) == n(ROWS - 2, ROWS - 1)
    assert await store.session("many").pop_item() == {"n": ROWS - 1}
    assert told(caplog) == []


async def test_stores_of_other_engines_find_the_index_later(database, caplog):
    await tables_without_the_index(database)
    old = database.store(engine=database.engine())
    assert len(await old.session("many").get_items(5)) == 5
    assert await database.store(engine=database.engine()).upgrade() is True
    assert len(await old.session("many").get_items(5)) == 5
    caplog.clear()
    assert len(await database.session("many", engine=database.engine()).get_items(5)) == 5
    assert told(caplog) == []


async def test_tables_of_our_own_need_no_upgrade(database, caplog):
    await database.session().add_items(n(1))
    assert await database.store().upgrade() is False
    assert told(caplog) == []


async def test_several_upgrades_and_a_writer_at_once(database):
    await tables_without_the_index(database)
    done = asyncio.Event()
    batches = 0

    async def write():
        nonlocal batches
        while not done.is_set() or batches < 10:
            await database.session("s").add_items(
                [{"by": "w", "batch": batches, "n": k} for k in range(3)]
            )
            batches += 1

    writer = asyncio.create_task(write())
    await asyncio.sleep(0.05)
    stores = [database.store(engine=database.engine()) for _ in range(4)]
    async with asyncio.timeout(60):
        await asyncio.gather(*(store.upgrade() for store in stores))
    done.set()
    await writer
    assert await indexes(database) == [INDEX]
    check_batches(await database.session("s").get_items(), ["w"], batches=batches)
    for store in stores:
        assert await store.session("many").get_items(1) == n(ROWS - 1)


@contextlib.asynccontextmanager
async def open_transaction(database):
    """Keep a transaction open that has written to the table: an index has to wait for it."""
    async with database.engine().connect() as conn:
        await conn.execute(text("INSERT INTO agent_sessions (session_id) VALUES ('open')"))
        await conn.execute(
            text("INSERT INTO agent_messages (session_id, message_data) VALUES ('open', '{}')")
        )
        yield conn


@pytest.mark.databases("postgresql", column_types=("text",))
async def test_postgresql_writers_go_on_while_an_index_waits(database):
    await tables_without_the_index(database)
    async with open_transaction(database) as conn:
        upgrades = [
            asyncio.create_task(database.store(engine=database.engine()).upgrade())
            for _ in range(2)
        ]
        for _ in range(200):
            await asyncio.sleep(0.02)
            if await database.execute(f"SELECT 1 FROM pg_class WHERE relname = '{INDEX}'"):
                break
        async with asyncio.timeout(20):
            for number in range(5):
                await database.session("s").add_items(n(number))
                assert await database.session("s").pop_item() == {"n": number}
                await database.session("s").replace_items(n(number))
        assert not any(task.done() for task in upgrades)
        await conn.commit()
    async with asyncio.timeout(60):
        assert True in await asyncio.gather(*upgrades)
    assert await database.execute(
        f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{INDEX}'::regclass"
    ) == [(True,)]
    assert await database.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [
        (0,)
    ]


@pytest.mark.databases("postgresql", column_types=("text",))
async def test_the_broken_rest_of_an_index_is_built_anew(database, caplog):
    await tables_without_the_index(database)
    async with open_transaction(database):
        failing = database.engine(
            isolation_level="AUTOCOMMIT",
            connect_args={"server_settings": {"statement_timeout": "300"}},
        )
        async with failing.connect() as conn:
            with pytest.raises(Exception, match="statement timeout"):
                await conn.execute(
                    text(f"CREATE INDEX CONCURRENTLY {INDEX} ON agent_messages (session_id, id)")
                )
    valid = f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{INDEX}'::regclass"
    assert await database.execute(valid) == [(False,)]
    caplog.clear()
    store = database.store(engine=database.engine())
    assert await store.session("many").get_items(1) == n(ROWS - 1)
    assert len(told(caplog)) == 1
    assert await store.upgrade() is True
    assert await database.execute(valid) == [(True,)]
    assert await store.upgrade() is False


@pytest.mark.databases("postgresql", column_types=("text",))
async def test_an_upgrade_that_is_cancelled_leaves_no_lock(database):
    await tables_without_the_index(database)
    async with open_transaction(database) as conn:
        upgrade = asyncio.create_task(database.store(engine=database.engine()).upgrade())
        await asyncio.sleep(0.5)
        upgrade.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upgrade
        await conn.commit()
    async with asyncio.timeout(30):
        assert await database.store(engine=database.engine()).upgrade() is True
    assert await indexes(database) == [INDEX]


@pytest.mark.databases("mysql-aiomysql", "mysql-asyncmy", column_types=("text",))
async def test_mysql_builds_the_index_while_a_transaction_is_open_elsewhere(database):
    await tables_without_the_index(database)
    store = database.store(engine=database.engine())
    await store.session("s").add_items(n(1))
    upgrade = asyncio.create_task(store.upgrade())
    async with asyncio.timeout(30):
        for number in range(20):
            await database.session("s").replace_items(n(number))
        assert await upgrade is True
    assert await database.session("s").get_items() == n(19)
