"""What subclasses of openai-agents' class are used to find, and where they differ."""

import pytest
from sqlalchemy import func, insert, select

from strongroom import SQLAlchemySession

ITEMS = [{"role": "user", "content": "größe"}, {"role": "assistant", "content": "x" * 300}]
on_text = pytest.mark.databases("sqlite-file", column_types=("text",))


async def test_tables_and_engine_are_where_they_were(database):
    class Counting(SQLAlchemySession):
        """Uses everything that a subclass of the other class may use."""

        async def count(self):
            await self._ensure_tables()
            async with self._session_factory() as sess:
                statement = select(func.count()).where(
                    self._messages.c.session_id == self._column_id(),
                    self._messages.c.session_id == self._sessions.c.session_id,
                )
                return (await sess.execute(statement)).scalar_one()

        async def note(self, text):
            await self._ensure_tables()
            async with self._session_factory() as sess, sess.begin():
                row = {"session_id": self._column_id(), "message_data": text}
                await sess.execute(insert(self._messages), [row])

        def _column_id(self):
            return self.session_id.encode() if database.dialect == "mysql" else self.session_id

    session = database.session(kind=Counting)
    assert await session.count() == 0
    await session.add_items(ITEMS)
    assert await session.count() == 2
    await session.note(database.column('{"noted":1}'))
    assert await session.get_items(1) == [{"noted": 1}]
    assert session._engine is session.engine is database.shared
    assert set(session._metadata.tables.values()) == {session._sessions, session._messages}
    assert session._messages.name == "agent_messages"
    assert [column.name for column in session._messages.columns] == [
        "id", "session_id", "message_data", "created_at",
    ]  # fmt: skip


@on_text
async def test_the_metadata_can_make_the_tables(database):
    session = database.session(create_tables=False)
    async with database.shared.begin() as conn:
        await conn.run_sync(session._metadata.create_all)
    await session.add_items(ITEMS)
    assert await session.get_items() == ITEMS


@on_text
@pytest.mark.parametrize("name", ["get_items", "add_items", "pop_item", "clear_session"])
async def test_compaction_leaves_subclasses_with_operations_of_their_own_alone(database, name):
    async def own(self, *arguments):
        return await getattr(super(kind, self), name)(*arguments)

    kind = type("Own", (SQLAlchemySession,), {name: own})
    session = database.session(kind=kind)
    await session.add_items(ITEMS)
    assert await session._atomic_replace_items([]) is False
    assert await session._get_compaction_snapshot(5) is None
    assert await session.get_items() == ITEMS
