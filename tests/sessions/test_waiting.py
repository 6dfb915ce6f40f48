"""An operation that waits for another writer goes on with what that one has written."""

import asyncio

import pytest
from sqlalchemy import text

from histories import n
from strongroom import SQLAlchemySession

pytestmark = [
    pytest.mark.databases(
        "sqlite-file", "postgresql", "mysql-aiomysql", "mysql-asyncmy", column_types=("text",)
    ),
    pytest.mark.partitioned,
]

# name: the operation, what it returns, and the history that it leaves behind 1, 2 and the late 3
OPERATIONS = {
    "add_items": (lambda s: s.add_items(n(4)), None, n(1, 2, 3, 4)),
    "pop_item": (lambda s: s.pop_item(), {"n": 3}, n(1, 2)),
    "replace_items": (lambda s: s.replace_items(n(4)), None, n(4)),
    "clear_session": (lambda s: s.clear_session(), None, []),
}


class Slow(SQLAlchemySession):
    """Lets somebody else write between the reading of a row and its deletion."""

    meanwhile = None

    async def _deserialize_item(self, item):
        if self.meanwhile is not None:
            act, self.meanwhile = self.meanwhile, None
            await act()
        return await super()._deserialize_item(item)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_what_an_open_transaction_appends_is_not_overlooked(database, name):
    operation, result, history = OPERATIONS[name]
    session = database.session()
    await session.add_items(n(1, 2))
    key = b"s" if database.dialect == "mysql" else "s"
    async with database.engine().begin() as conn:
        await conn.execute(
            text(
                "UPDATE agent_sessions SET updated_at = CURRENT_TIMESTAMP WHERE session_id = :key"
            ),
            {"key": key},
        )
        waiting = asyncio.create_task(operation(session))
        await asyncio.sleep(0.2)
        await conn.execute(
            text("INSERT INTO agent_messages (session_id, message_data) VALUES (:key, :value)"),
            {"key": key, "value": '{"n": 3}'},
        )
        assert not waiting.done()
    assert await waiting == result
    assert await session.get_items() == history


async def test_pop_does_not_take_a_row_that_is_no_longer_the_newest(database):
    session = database.session(kind=Slow)
    await session.add_items(n(1, 2))
    session.meanwhile = lambda: database.session().add_items(n(3))
    assert await session.pop_item() == {"n": 3}
    assert await database.session().get_items() == n(1, 2)


async def test_pop_of_what_was_cleared_meanwhile_takes_nothing(database):
    session = database.session(kind=Slow)
    await session.add_items(n(1, 2))
    session.meanwhile = lambda: database.session().clear_session()
    assert await session.pop_item() is None


async def test_pop_of_what_was_replaced_meanwhile_takes_the_new_item(database):
    session = database.session(kind=Slow)
    await session.add_items(n(1, 2))
    session.meanwhile = lambda: database.session().replace_items(n(7, 8))
    assert await session.pop_item() == {"n": 8}
    assert await database.session().get_items() == n(7)


async def test_a_replace_that_meets_a_clear_leaves_its_items(database):
    store = database.store()
    for number in range(10):
        await store.session("s").add_items(n(0))
        await asyncio.gather(
            store.session("s").replace_items(n(number, number)), store.session("s").clear_session()
        )
        assert await store.session("s").get_items() in ([], n(number, number))
