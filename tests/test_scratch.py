"""The database that tests get one after another: nothing of a test is left for the next."""

import asyncio

import pytest
from sqlalchemy import inspect

from histories import n
from scratch import MANY_ROWS
from strongroom import Key, Keyring, Ledger

pytestmark = pytest.mark.databases("postgresql", "mysql-aiomysql", column_types=("text",))

CHANGES = {
    "another table": "CREATE TABLE another (x INTEGER)",
    "a column": "ALTER TABLE agent_messages ADD COLUMN more INTEGER",
    "an index": "CREATE INDEX another ON agent_messages (created_at)",
    "a default": "ALTER TABLE agent_messages ALTER created_at DROP DEFAULT",
    "a missing table": "DROP TABLE agent_messages",
}


async def write(database, *statements, rows=1, **options):
    try:
        await database.session(**options).add_items(n(*range(rows)))
        for statement in statements:
            await database.execute(statement)
    finally:
        await database.aclose()


async def look(database):
    """Return tables, columns, indexes, the number of rows, and the id that comes next."""
    try:
        async with database.engine().connect() as conn:
            found = await conn.run_sync(
                lambda sync: {
                    name: (
                        str(inspect(sync).get_columns(name)),
                        str(inspect(sync).get_indexes(name)),
                    )
                    for name in inspect(sync).get_table_names()
                }
            )
        sessions = await database.execute("SELECT count(*) FROM agent_sessions")
        await database.session(engine=database.engine()).add_items(n(1))
        return found, sessions, await database.rows()
    finally:
        await database.aclose()


@pytest.fixture
def ours(database, scratch):
    return scratch(database.name, database.column_type)


@pytest.fixture
def before(database, ours):
    seen = asyncio.run(look(database))
    ours.clean()
    return seen


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_table_is_as_it_was(database, ours, before, change):
    asyncio.run(write(database, CHANGES[change]))
    ours.clean()
    assert asyncio.run(look(database)) == before


@pytest.mark.parametrize("rows", [3, MANY_ROWS + 1])
def test_rows_are_gone_and_ids_begin_anew(database, ours, before, rows):
    asyncio.run(write(database, rows=rows))
    ours.clean()
    assert asyncio.run(look(database)) == before


def test_the_heads_of_a_ledger_are_gone(database, ours, before):
    asyncio.run(write(database, ledger=Ledger(Keyring(Key(bytes(32))))))
    ours.clean()
    assert asyncio.run(look(database)) == before


def test_an_open_transaction_holds_nothing_up(database, ours, before):
    with asyncio.Runner() as runner:
        conn = runner.run(database.engine().connect().__aenter__())
        runner.run(conn.exec_driver_sql("INSERT INTO agent_sessions (session_id) VALUES ('held')"))
        ours.clean()
        runner.run(conn.invalidate())
        runner.run(database.aclose())
    assert asyncio.run(look(database)) == before


def test_without_tables_there_are_none(database, ours):
    asyncio.run(write(database))
    ours.clean(tables=False)

    async def names():
        async with database.engine().connect() as conn:
            found = await conn.run_sync(lambda sync: inspect(sync).get_table_names())
        await database.aclose()
        return found

    assert asyncio.run(names()) == []
