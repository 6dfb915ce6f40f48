"""MySQL and MariaDB: whole transactions are tried again after deadlocks and lock waits."""

import asyncio

import pytest
from sqlalchemy import event, text

from histories import n

pytestmark = pytest.mark.databases("mysql-aiomysql", "mysql-asyncmy", column_types=("text",))

DEADLOCK, LOCK_WAIT = 1213, 1205
LOCK_SESSION = "SELECT * FROM agent_sessions WHERE session_id = 's' FOR UPDATE"
LOCK_ROWS = "SELECT * FROM agent_messages WHERE session_id = 's' FOR UPDATE"

# name: the operation, and the history behind [1, 2]
OPERATIONS = {
    "pop_item": (lambda s: s.pop_item(), n(1)),
    "replace_items": (lambda s: s.replace_items(n(3, 4)), n(3, 4)),
    "clear_session": (lambda s: s.clear_session(), []),
}


async def codes_of(engine, database):
    """Return a list that the server's error codes on an engine go to, from now on."""
    await database.session(engine=engine).get_items()
    codes = []
    event.listen(
        engine.sync_engine,
        "handle_error",
        lambda context: codes.append(context.original_exception.args[0]),
    )
    return codes


@pytest.mark.parametrize("name", OPERATIONS)
async def test_the_victim_of_a_deadlock_goes_on(database, name):
    operation, left = OPERATIONS[name]
    await database.session().add_items(n(1, 2))
    # InnoDB takes back the transaction that has changed less.
    await database.session("many").add_items(n(*range(200)))
    engine = database.engine()
    codes = await codes_of(engine, database)
    session = database.session(engine=engine)
    await session.get_items()
    async with database.engine().begin() as conn:
        await conn.execute(
            text("UPDATE agent_messages SET message_data = '0' WHERE session_id = 'many'")
        )
        await conn.execute(text(LOCK_ROWS))
        waiting = asyncio.create_task(operation(session))
        await asyncio.sleep(0.3)
        await conn.execute(text(LOCK_SESSION))
        await asyncio.sleep(0.1)
        assert not waiting.done()
    await waiting
    assert DEADLOCK in codes
    assert await session.get_items() == left


@pytest.mark.parametrize("name", [*OPERATIONS, "add_items"])
async def test_a_lock_wait_that_ends_is_begun_again(database, name):
    operation, left = OPERATIONS.get(name, (lambda s: s.add_items(n(3)), n(1, 2, 3)))
    engine = database.engine(
        connect_args={"init_command": "SET SESSION innodb_lock_wait_timeout = 1"}
    )
    codes = await codes_of(engine, database)
    session = database.session(engine=engine)
    await session.add_items(n(1, 2))
    async with database.engine().begin() as conn:
        await conn.execute(text(LOCK_SESSION))
        waiting = asyncio.create_task(operation(session))
        await asyncio.sleep(1.5)
        assert not waiting.done()
    await waiting
    assert set(codes) == {LOCK_WAIT}
    assert await session.get_items() == left


async def test_other_errors_are_not_tried_again(database):
    engine = database.engine()
    codes = await codes_of(engine, database)
    session = database.session(engine=engine)
    await session.add_items(n(1))
    await database.execute(
        "CREATE TRIGGER no BEFORE INSERT ON agent_messages FOR EACH ROW SIGNAL SQLSTATE '45000'"
    )
    with pytest.raises(Exception, match="1644"):
        await session.add_items(n(2))
    assert len(codes) == 1
    assert await session.get_items() == n(1)
