"""For the type checker: subclasses that take an option of their own, or any, as theirs does."""

from __future__ import annotations

from typing import Any, Self, assert_type

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from strongroom import SQLAlchemySession


class Named(SQLAlchemySession):
    def __init__(
        self, session_id: str, *, engine: AsyncEngine, name: str = "", **options: Any
    ) -> None:
        super().__init__(session_id, engine=engine, **options)
        self.name = name

    @classmethod
    def from_url(
        cls,
        session_id: str,
        *,
        url: str | URL,
        engine_kwargs: dict[str, Any] | None = None,
        name: str = "",
        **options: Any,
    ) -> Self:
        session = super().from_url(session_id, url=url, engine_kwargs=engine_kwargs, **options)
        session.name = name
        return session


named = Named.from_url("user-123", url="sqlite+aiosqlite:///memory.db", name="n", codec="orjson")
assert_type(named, Named)
