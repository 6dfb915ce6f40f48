"""Making the tables: by any operation, in a schema, and by sixteen processes at one moment."""

from pathlib import Path

import pytest
from sqlalchemy import inspect

from histories import check_batches
from strongroom import ConfigurationError, Key, Keyring, Ledger, SessionStore
from workers import workers

SCRIPT = Path(__file__).with_name("table_maker.py")
PROCESSES, ROUNDS = 16, 6

pytestmark = [
    pytest.mark.databases(
        "sqlite-file", "postgresql", "mysql-aiomysql", "mysql-asyncmy", column_types=("text",)
    ),
    pytest.mark.no_tables,
]


def task_of(database, number, **more):
    url = database.url
    if database.dialect == "sqlite":
        # A new file each time: making it, and setting WAL, is part of the race.
        url = url.set(database=f"{url.database}-{number}")
    names = {"sessions_table": f"sessions{number}", "messages_table": f"messages{number}"}
    text = url.render_as_string(hide_password=False)
    return {"url": text, "names": names, "column_type": database.column_type, **more}


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
@pytest.mark.slow
async def test_sixteen_processes_make_the_tables_at_once(database):
    async with workers(SCRIPT, PROCESSES) as makers:
        for number in range(ROUNDS):
            task = task_of(database, number)
            await makers.run({**task, "by": by} for by in range(PROCESSES))
            async with SessionStore.from_url(task["url"], **task["names"]) as store:
                items = await store.session("s").get_items()
            check_batches(items, range(PROCESSES), batches=1)


async def make_schemas(database, *names):
    for name in names:
        await database.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')
        await database.execute(f'CREATE SCHEMA "{name}"')


@pytest.mark.databases("postgresql")
async def test_tables_in_a_schema_of_their_own(database):
    await make_schemas(database, "memory", "Odd schema")
    for schema in ("memory", "Odd schema"):
        store = database.store(schema=schema)
        session = store.session("s")
        await session.add_items([{"in": schema}, {"in": schema}])
        assert await session.pop_item() == {"in": schema}
        await session.replace_items([{"in": schema, "n": 2}])
        assert await session.get_items() == [{"in": schema, "n": 2}]
        assert await session.get_items(1) == [{"in": schema, "n": 2}]
        assert [item async for item in session.iter_items(1)] == await session.get_items()
        assert await store.upgrade() is False
    assert await database.session().get_items() == []
    found = await database.execute(
        "SELECT table_schema, count(*) FROM information_schema.tables "
        "WHERE table_name LIKE 'agent_%' GROUP BY 1"
    )
    assert sorted(found) == [("Odd schema", 2), ("memory", 2), ("public", 2)]
    with pytest.raises(ConfigurationError, match="nowhere"):
        await database.session(schema="nowhere", create_tables=False).get_items()


@pytest.mark.databases("postgresql")
async def test_the_index_is_added_in_the_schema(database):
    await make_schemas(database, "Odd schema")
    await database.session(schema="Odd schema").add_items([{"n": 1}])
    await database.execute('DROP INDEX "Odd schema".idx_agent_messages_session_id')
    store = database.store(schema="Odd schema", engine=database.engine())
    assert await store.upgrade() is True
    async with database.shared.connect() as conn:
        indexes = await conn.run_sync(
            lambda sync: inspect(sync).get_indexes("agent_messages", schema="Odd schema")
        )
    assert ["session_id", "id"] in [index["column_names"] for index in indexes]


# name: the operation, and what it returns of a session that has never been
FIRST = {
    "get_items": (lambda s: s.get_items(), []),
    "iter_items": (lambda s: anext(s.iter_items(), None), None),
    "add_items": (lambda s: s.add_items([{"n": 1}]), None),
    "pop_item": (lambda s: s.pop_item(), None),
    "clear_session": (lambda s: s.clear_session(), None),
    "replace_items": (lambda s: s.replace_items([{"n": 1}]), None),
}


@pytest.mark.databases(column_types=("text",))
@pytest.mark.parametrize("ledger", [None, Ledger(Keyring(Key(bytes(32))))], ids=["", "ledger"])
@pytest.mark.parametrize("name", FIRST)
async def test_whichever_operation_comes_first_makes_the_tables(database, name, ledger):
    operation, result = FIRST[name]
    session = database.session(ledger=ledger)
    assert await operation(session) == result
    await session.replace_items([{"n": 2}])
    assert await database.session(ledger=ledger, engine=database.shared).get_items() == [{"n": 2}]
