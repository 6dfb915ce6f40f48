"""For the type checker: a subclass in a project that does not know openai-agents."""

from strongroom import Item, SQLAlchemySession


class MarkedSession(SQLAlchemySession):
    async def _serialize_item(self, item: Item) -> str:
        return "v1:" + await super()._serialize_item(item)

    async def _deserialize_item(self, item: str) -> Item:
        return await super()._deserialize_item(item.removeprefix("v1:"))
