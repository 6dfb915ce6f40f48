"""For the type checker: what it has to flag; an ignore that ignores nothing is an error too."""

from agents.memory import SessionSettings
from sqlalchemy.ext.asyncio import AsyncEngine

import strongroom
from strongroom import SessionStore, SQLAlchemySession

URL = "sqlite+aiosqlite:///memory.db"

strongroom.Misspelt()  # type: ignore[attr-defined]
SQLAlchemySession.from_url("a", url=URL, colum_type="binary")  # type: ignore[call-arg]
SQLAlchemySession.from_url("a", url=URL, column_type="json")  # type: ignore[arg-type]
SQLAlchemySession.from_url("a", url=URL, on_error="ignore")  # type: ignore[arg-type]
SQLAlchemySession.from_url("a", url=URL, session_settings=5)  # type: ignore[arg-type]
SessionStore.from_url(URL, colum_type="binary")  # type: ignore[call-arg]
SessionStore.from_url(URL, keys="keys")  # type: ignore[arg-type]
SessionStore.from_url(URL, session_settings={"limit": 5})  # type: ignore[call-arg]


def sessions_of(store: SessionStore, engine: AsyncEngine) -> None:
    store.session("a", session_settings=5)  # type: ignore[arg-type]
    store.session("a", settings=SessionSettings(limit=5))  # type: ignore[call-arg]
    SQLAlchemySession("a", engine=engine, colum_type="binary")  # type: ignore[call-arg]
