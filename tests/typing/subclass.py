"""For the type checker: a subclass with the hooks and annotations of openai-agents' class."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from strongroom import SQLAlchemySession

if TYPE_CHECKING:
    from agents.items import TResponseInputItem


class LoggedSession(SQLAlchemySession):
    async def _serialize_item(self, item: TResponseInputItem) -> str:
        return await super()._serialize_item(item)

    async def _deserialize_item(self, item: str) -> TResponseInputItem:
        return await super()._deserialize_item(item)

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        await super().add_items(items)


assert_type(LoggedSession.from_url("user-123", url="sqlite+aiosqlite:///memory.db"), LoggedSession)
