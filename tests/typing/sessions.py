"""For the type checker: our sessions are what openai-agents takes for a session."""

from typing import assert_type

from agents import Agent, Runner, RunResult, TResponseInputItem
from agents.memory import OpenAIResponsesCompactionSession, Session, SessionSettings
from sqlalchemy.ext.asyncio import AsyncEngine

from strongroom import Codec, Key, Keyring, SessionStore, SQLAlchemySession


def takes_a_session(session: Session) -> Session:
    return session


async def used_as_theirs(engine: AsyncEngine, agent: Agent) -> None:
    ours = SQLAlchemySession("user-123", engine=engine, create_tables=True)
    session: Session = ours
    takes_a_session(ours)
    OpenAIResponsesCompactionSession("user-123", underlying_session=session)
    assert_type(await Runner.run(agent, "Hello", session=ours), RunResult)

    items: list[TResponseInputItem] = [{"role": "user", "content": "Hello"}]
    await ours.add_items(items)
    assert_type(await ours.get_items(), list[TResponseInputItem])
    assert_type(await ours.get_items(limit=2), list[TResponseInputItem])
    assert_type(await ours.pop_item(), TResponseInputItem | None)
    await ours.replace_items(items)
    async for item in ours.iter_items(batch_size=10):
        assert_type(item, TResponseInputItem)
    await ours.clear_session()


def constructed(engine: AsyncEngine) -> None:
    keys = Keyring(Key.generate())
    SQLAlchemySession("a", engine=engine, codec="orjson+fernet", keys=keys, on_error="skip")
    SQLAlchemySession("a", engine=engine, codec=Codec.parse("json"), column_type="binary")
    session = SQLAlchemySession("a", engine=engine, session_settings=SessionSettings(limit=5))
    session.session_settings = {"limit": 5}
    assert_type(session.session_settings, SessionSettings | None)
    session.session_id = "b"
    assert_type(session.session_id, str)
    assert_type(session.engine, AsyncEngine)


async def stores(engine: AsyncEngine) -> None:
    async with SessionStore.from_url("sqlite+aiosqlite:///memory.db", codec="msgpack") as store:
        assert_type(store, SessionStore)
        assert_type(store.session("user-123"), SQLAlchemySession)
        takes_a_session(store.session("user-123", session_settings=SessionSettings(limit=5)))
    async with SQLAlchemySession.from_url("a", url="sqlite+aiosqlite:///memory.db") as session:
        assert_type(session, SQLAlchemySession)
    assert_type(SessionStore(engine), SessionStore)
