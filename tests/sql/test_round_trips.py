"""How often PostgreSQL is asked: once an operation, and twice for a pop."""

import pytest
from agents.extensions.memory import SQLAlchemySession as TheirSession
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from histories import n
from proxy import counting_proxy

pytestmark = pytest.mark.no_tables
on_postgresql = pytest.mark.databases("postgresql")

# name: the operation, and what it takes once its statements are prepared
OPERATIONS = {
    "add of 1": (lambda s: s.add_items(n(1)), 1),
    "add of 100": (lambda s: s.add_items(n(*range(100))), 1),
    "get": (lambda s: s.get_items(), 1),
    "last 20": (lambda s: s.get_items(20), 1),
    "pop": (lambda s: s.pop_item(), 2),
    "replace": (lambda s: s.replace_items(n(1, 2, 3)), 1),
    "replace by nothing": (lambda s: s.replace_items([]), 1),
    "clear": (lambda s: s.clear_session(), 1),
    "first write": (lambda s: s.add_items(n(1)), 1),
}


async def counted(database, tables, *, pre_ping=False, **options):
    """Run every operation twice, and count the round trips and statements of the second time."""
    async with counting_proxy(database.url) as trips:
        engine = create_async_engine(trips.url, pool_size=1, max_overflow=0, pool_pre_ping=pre_ping)
        statements = []
        event.listen(
            engine.sync_engine, "before_cursor_execute", lambda *args: statements.append(args[2])
        )
        try:
            session = database.session(engine=engine, create_tables=tables == "ours", **options)
            await session.add_items(n(1))
            for operation, _ in OPERATIONS.values():
                await operation(session)
            found = {}
            for name, (operation, _) in OPERATIONS.items():
                trips.restart()
                statements.clear()
                await operation(session)
                found[name] = (trips.count, len(statements))
            assert trips.connections == 1
        finally:
            await engine.dispose()
    return found


async def make_their_tables(database):
    theirs = TheirSession("other", engine=database.shared, create_tables=True)
    await theirs.add_items(n(0))
    if database.column_type == "binary":
        await database.execute(
            "ALTER TABLE agent_messages ALTER message_data TYPE bytea "
            "USING convert_to(message_data, 'UTF8')"
        )


@on_postgresql
@pytest.mark.parametrize("tables", ["ours", "openai-agents'"])
@pytest.mark.parametrize("codec", ["json", "msgpack+zlib"])
async def test_every_operation_is_one_round_trip_and_pop_is_two(database, tables, codec):
    if tables != "ours":
        await make_their_tables(database)
    found = await counted(database, tables, codec=codec)
    assert found == {name: (trips, trips) for name, (_, trips) in OPERATIONS.items()}


@on_postgresql
async def test_transactions_cost_two_more(database):
    found = await counted(database, "ours", transactions=True)
    for name, (_, trips) in OPERATIONS.items():
        # A read ends its transaction too; pop is two of them.
        assert found[name] == (3 * trips, trips), name


@pytest.mark.databases("postgresql", column_types=("text",))
async def test_a_pre_ping_costs_three_more(database):
    found = await counted(database, "ours", pre_ping=True)
    for name, (_, trips) in OPERATIONS.items():
        assert found[name] == (4 * trips, trips), name


@pytest.mark.databases("postgresql", column_types=("text",))
async def test_the_proxy_counts_what_a_transaction_takes(database):
    async with counting_proxy(database.url) as trips:
        engine = create_async_engine(trips.url, pool_size=1, max_overflow=0)
        try:
            for _ in range(2):
                trips.restart()
                async with engine.begin() as conn:
                    for _ in range(4):
                        await conn.exec_driver_sql("SELECT 1")
            assert trips.count == 1 + 4 + 1
        finally:
            await engine.dispose()
