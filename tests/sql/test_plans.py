"""How the databases read: the plans of our statements, with the index and without it."""

import json

import pytest
from agents.extensions.memory import SQLAlchemySession as TheirSession
from sqlalchemy import event

from histories import n

OTHERS = 60
ROWS = 150
THEIRS = "idx_agent_messages_session_time"
OURS = "idx_agent_messages_session_id"

pytestmark = [
    pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",)),
    pytest.mark.no_tables,
]


async def fill(database, **options):
    """Write many sessions: one with few rows, and one with half of the table's, all of them old."""
    store = database.store(**options)
    await store.session("few").add_items(n(1, 2, 3))
    await store.session("half").add_items(n(*range(ROWS * OTHERS)))
    for number in range(OTHERS):
        await store.session(f"other-{number}").add_items(n(*range(ROWS)))
    if database.dialect == "mysql":
        await database.execute("ANALYZE TABLE agent_messages")
    else:
        await database.execute("ANALYZE")


async def plan_of(database, operation, session_id, **options):
    """Run an operation, and return the database's plan for the statement that read."""
    engine = database.engine()
    seen = []
    event.listen(
        engine.sync_engine,
        "before_cursor_execute",
        lambda conn, cursor, sql, parameters, *rest: seen.append((sql, parameters)),
    )
    store = database.store(engine=engine, **options)
    await store.session("few").get_items(0)
    await operation(store.session(session_id))
    sql, parameters = next(
        pair
        for pair in reversed(seen)
        if pair[0].startswith("SELECT") and "message_data" in pair[0]
    )
    explain = {
        "sqlite": "EXPLAIN QUERY PLAN ",
        "postgresql": "EXPLAIN (FORMAT JSON) ",
        "mysql": "EXPLAIN FORMAT=JSON ",
    }[database.dialect]
    async with engine.connect() as conn:
        rows = (await conn.exec_driver_sql(explain + sql, parameters)).fetchall()
    return "\n".join(
        row[-1] if isinstance(row[-1], str) else json.dumps(row[-1], indent=1) for row in rows
    )


async def look_as_pop_does(session):
    runner = session._core.runner
    statements = (await runner.statements()).session
    return await runner.read(statements.last_with_version, session.session_id, 1)


READS = {
    "last 20": lambda session: session.get_items(20),
    "a batch of an iteration": lambda session: anext(session.iter_items(20)),
    "what pop looks at": look_as_pop_does,
}


@pytest.mark.parametrize("session_id", ["few", "other-3", "half"])
@pytest.mark.parametrize("name", READS)
async def test_the_index_gives_the_rows_in_order(database, name, session_id):
    await fill(database)
    plan = await plan_of(database, READS[name], session_id)
    assert OURS in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan
    assert "filesort" not in plan


async def test_all_rows_of_a_session_are_found_by_the_index(database):
    await fill(database)
    plan = await plan_of(database, lambda session: session.get_items(), "few")
    assert OURS in plan


async def tables_without_the_index(database):
    """Make the tables of openai-agents; on MySQL, which they cannot, what a hand would make."""
    if database.dialect != "mysql":
        theirs = TheirSession("theirs", engine=database.shared, create_tables=True)
        await theirs.add_items(n(0))
        return THEIRS
    time = "DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"
    await database.execute(
        f"CREATE TABLE agent_sessions (session_id VARBINARY(255) PRIMARY KEY, created_at {time}, "
        f"updated_at {time})"
    )
    await database.execute(
        f"CREATE TABLE agent_messages (id BIGINT AUTO_INCREMENT PRIMARY KEY, "
        f"session_id VARBINARY(255) NOT NULL, message_data LONGTEXT CHARACTER SET utf8mb4 "
        f"COLLATE utf8mb4_bin NOT NULL, created_at {time}, INDEX {THEIRS} (session_id, created_at))"
    )
    return THEIRS


@pytest.mark.parametrize("name", READS)
async def test_without_the_index_a_read_does_not_walk_the_table(database, name):
    # In the order of its ids, the table looks like a short cut to the latest rows.
    theirs = await tables_without_the_index(database)
    await fill(database, create_tables=False)
    plan = await plan_of(database, READS[name], "other-3", create_tables=False)
    assert theirs in plan
    assert "agent_messages_pkey" not in plan
    assert "SCAN" not in plan
    assert "PRIMARY" not in plan.replace("possible_keys", "").split('"key"')[-1].split("\n")[0]


@pytest.mark.databases("postgresql", column_types=("text",))
async def test_a_plan_with_the_tables_own_order_would_walk_it(database):
    """Show that the tests above can fail."""
    await tables_without_the_index(database)
    await fill(database, create_tables=False)
    async with database.engine().connect() as conn:
        rows = await conn.exec_driver_sql(
            "EXPLAIN SELECT id FROM agent_messages WHERE session_id = 'half' "
            "ORDER BY id DESC LIMIT 20"
        )
        assert "agent_messages_pkey" in "\n".join(row[0] for row in rows)


async def test_the_upgrade_gives_the_plan_of_our_own_tables(database):
    await tables_without_the_index(database)
    await fill(database, create_tables=False)
    store = database.store(create_tables=False)
    assert await store.upgrade() is True
    if database.dialect == "mysql":
        await database.execute("ANALYZE TABLE agent_messages")
    plan = await plan_of(database, READS["last 20"], "half", create_tables=False)
    assert OURS in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan
    assert "filesort" not in plan
