"""A real PgBouncer in transaction mode, with the engine options that docs/databases.md names."""

import asyncio

import pytest
from sqlalchemy import pool

from bouncer import CONNECT_ARGS, SERVERS, pgbouncer
from histories import check_batches, n
from strongroom import Key, Keyring, Ledger

pytestmark = [pytest.mark.databases("postgresql", column_types=("text",)), pytest.mark.no_tables]

TASKS = 16


@pytest.fixture
def through(database):
    with pgbouncer(database.url) as url:
        yield url


@pytest.fixture(params=["queue", "null"])
def engine(request, database, through):
    database.url, direct = through, database.url
    options = {"poolclass": pool.NullPool} if request.param == "null" else {"pool_size": TASKS}
    made = database.engine(connect_args=CONNECT_ARGS, **options)
    database.url = direct
    return made


@pytest.mark.parametrize("transactions", [True, False], ids=["transactions", "single statements"])
@pytest.mark.parametrize("ledger", [False, True], ids=["", "ledger"])
async def test_many_clients_share_few_connections(database, engine, transactions, ledger):
    options = {"ledger": Ledger(Keyring(Key.generate()))} if ledger else {}
    store = database.store(engine=engine, transactions=transactions, **options)
    mine = [f"s{k % 5}" for k in range(TASKS)]

    async def use(k):
        session = store.session(mine[k])
        for batch in range(4):
            await session.add_items([{"by": k, "batch": batch, "n": i} for i in range(3)])
            assert len(await session.get_items(2)) == 2
        own = store.session(f"own-{k}")
        await own.add_items(n(1, 2, 3))
        assert await own.pop_item() == {"n": 3}
        await own.replace_items(n(4, 5))
        assert [item async for item in own.iter_items(1)] == n(4, 5)
        await own.clear_session()
        assert await own.get_items() == []

    await asyncio.gather(*(use(k) for k in range(TASKS)))
    for session_id in set(mine):
        names = [k for k in range(TASKS) if mine[k] == session_id]
        check_batches(await database.session(session_id, **options).get_items(), names)
    ((servers,),) = await database.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = '' AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    assert servers <= SERVERS + 2  # and those of this test's own engine


async def test_no_prepared_statement_stays_on_the_servers(database, engine):
    session = database.session(engine=engine)
    await asyncio.gather(*(session.add_items(n(k)) for k in range(TASKS)))
    async with engine.connect() as conn:
        left = await conn.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements")
        assert left.scalar() == 0
