"""One conversation in a store: what openai-agents calls a session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

from strongroom.core.build import build_core
from strongroom.core.core import Core
from strongroom.core.unreadable import OnError
from strongroom.session.compaction import Compaction, Snapshot
from strongroom.session.items import Hook, ReadableRows, SessionItems
from strongroom.session.settings import coerce_settings, resolve_limit
from strongroom.sql.engine import make_engine, make_session_factory
from strongroom.sql.schema import ColumnType

if TYPE_CHECKING:
    from agents.items import TResponseInputItem
    from agents.memory import SessionSettings
    from sqlalchemy import URL, MetaData, Table
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

    from strongroom.codec.codec import Codec
    from strongroom.core.options import SessionOptions
    from strongroom.keys.keyring import Keyring
    from strongroom.ledger.ledger import Ledger

_MOST_ROWS = 2**31 - 1


class SQLAlchemySession:
    """A conversation, in the place of openai-agents' class of this name.

    ``engine`` is an AsyncEngine that the caller keeps; ``from_url`` makes one that ``aclose``
    disposes of. ``codec`` is a spec such as ``"orjson+fernet"``, with ``keys``, or a Codec.
    ``on_error`` says what happens with rows that cannot be read: None and ``"raise"`` raise the
    typed error (None leaves out bare rows that are not JSON while the codec has no cipher),
    ``"skip"`` leaves them out and logs their ids. Raises ValueError for a session id that no
    database could tell from another, and ConfigurationError for what does not fit together.
    """

    def __init__(
        self,
        session_id: str,
        *,
        engine: AsyncEngine,
        create_tables: bool = False,
        sessions_table: str = "agent_sessions",
        messages_table: str = "agent_messages",
        session_settings: SessionSettings | dict[str, Any] | None = None,
        ensure_ascii: bool = True,
        codec: str | Codec = "json",
        keys: Keyring | None = None,
        namespace: str = "",
        column_type: ColumnType = "text",
        schema: str | None = None,
        on_error: OnError = None,
        ledger: Ledger | None = None,
        transactions: bool = False,
    ) -> None:
        core = build_core(
            engine,
            create_tables=create_tables,
            sessions_table=sessions_table,
            messages_table=messages_table,
            ensure_ascii=ensure_ascii,
            codec=codec,
            keys=keys,
            namespace=namespace,
            column_type=column_type,
            schema=schema,
            on_error=on_error,
            ledger=ledger,
            transactions=transactions,
        )
        self._set_up(core, session_id, session_settings)

    @classmethod
    def from_url(
        cls,
        session_id: str,
        *,
        url: str | URL,
        engine_kwargs: dict[str, Any] | None = None,
        **options: Unpack[SessionOptions],
    ) -> Self:
        """Make an engine for a database URL and a session on it.

        ``engine_kwargs`` go to ``create_async_engine``, the other options to the constructor.
        """
        session = cls(session_id, engine=make_engine(url, engine_kwargs), **options)
        session._owns_engine = True
        return session

    @classmethod
    def _of_core(cls, core: Core, session_id: str, session_settings: Any) -> Self:
        """Return a session of a store."""
        session = cls.__new__(cls)
        session._set_up(core, session_id, session_settings)
        return session

    def _set_up(self, core: Core, session_id: str, session_settings: Any) -> None:
        self._core = core
        self._owns_engine = False
        self.session_id = session_id
        self.session_settings = session_settings

    @property
    def session_id(self) -> str:
        """The id of the conversation; setting it turns to another one."""
        return self._session_id

    @session_id.setter
    def session_id(self, session_id: str) -> None:
        self._core.check_session_id(session_id)
        self._session_id = session_id
        self._history = self._core.history(session_id)
        self._known_items: SessionItems | None = None

    @property
    def session_settings(self) -> SessionSettings | None:
        """None, or an object with ``limit`` and ``resolve``; a dict may be assigned too."""
        return cast("SessionSettings | None", self._session_settings)

    @session_settings.setter
    def session_settings(self, value: SessionSettings | dict[str, Any] | None) -> None:
        self._session_settings = coerce_settings(value)

    @property
    def engine(self) -> AsyncEngine:
        """The engine that the session was given, or made."""
        return self._core.runner.engine

    async def aclose(self) -> None:
        """Dispose of the engine if the session made it."""
        if self._owns_engine:
            await self.engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """Return the items, oldest first; with a limit, the latest ones.

        Raises DecodeError for a row that cannot be read, as ``on_error`` says.
        """
        limit = resolve_limit(limit, self._session_settings)
        if limit == 0:
            return []
        hook = self._decode_hook
        if limit is None:
            return await self._items.decode(await self._history.rows(), hook)
        wanted = min(limit, _MOST_ROWS)
        while True:
            rows = await self._history.last(wanted)
            items = await self._items.decode(rows, hook)
            if len(items) >= limit or len(rows) < wanted or wanted == _MOST_ROWS:
                return items[-limit:]
            # Rows were left out: look further back, in one statement, for what they hide.
            del items
            wanted = min(wanted * 2, _MOST_ROWS)

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Append a batch, all or nothing; raises EncodeError before anything is written."""
        # The id may be set to another one while hooks are awaited.
        history = self._history
        try:
            values = await self._items.encode(items, self._encode_hook)
        finally:
            del items  # an error keeps this frame
        if values:
            await history.append(values)

    async def pop_item(self) -> TResponseInputItem | None:
        """Remove and return the newest item, None if there is none.

        A row that cannot be read is not deleted: it raises DecodeError, or is passed over as
        ``on_error`` says.
        """
        popped = await self._history.pop(ReadableRows(self._items, self._decode_hook))
        return None if popped is None else cast("TResponseInputItem", popped.item)

    async def clear_session(self) -> None:
        """Remove all items, readable or not, and the session."""
        await self._history.clear()

    async def replace_items(self, items: list[TResponseInputItem]) -> None:
        """Put a batch in the place of the whole history, in one transaction.

        Raises EncodeError before anything is written, and ConflictError if other writers kept
        coming between.
        """
        history = self._history
        try:
            values = await self._items.encode(items, self._encode_hook)
        finally:
            del items  # an error keeps this frame
        await history.replace(values)

    async def iter_items(self, batch_size: int = 256) -> AsyncIterator[TResponseInputItem]:
        """Yield the items, oldest first, with at most ``batch_size`` rows in memory."""
        if batch_size < 1:
            raise ValueError(f"batch_size is 1 or more, not {batch_size}.")
        async for rows in self._history.batches(batch_size):
            items = (await self._items.decode(rows, self._decode_hook))[::-1]
            # An error on the way keeps this frame: it holds no item that was yielded.
            while items:
                yield cast("TResponseInputItem", items.pop())

    async def _atomic_replace_items(self, items: list[TResponseInputItem]) -> bool:
        """Replace the history for openai-agents' compaction; False if a subclass has its own way.

        The compaction has seen readable items only, so a row that cannot be read stops it.
        """
        if self._overrides_operations:
            return False
        try:
            await self._compaction.check_readable()
            await self.replace_items(items)
        finally:
            del items  # an error keeps this frame
        return True

    async def _get_compaction_snapshot(
        self,
        limit: int,
        *,
        prune_prefix: Callable[[TResponseInputItem], bool] | None = None,
    ) -> Snapshot | None:
        """Return the latest items for openai-agents' compaction; None if a subclass differs."""
        if self._overrides_operations:
            return None
        return await self._compaction.snapshot(limit, prune_prefix)

    @property
    def _compaction(self) -> Compaction:
        return Compaction(self._history, self._items, self._encode_hook, self._decode_hook)

    async def _serialize_item(self, item: TResponseInputItem) -> str:
        """Return what the column holds for an item: str in a text column, bytes in a binary one."""
        try:
            return cast("str", self._core.column_value(self._items.codec, item))
        finally:
            del item  # an error keeps this frame

    async def _deserialize_item(self, item: str) -> TResponseInputItem:
        """Return the item of what the column holds: str in a text column, bytes in a binary one."""
        return cast("TResponseInputItem", self._items.codec.decode(item))

    @property
    def _encode_hook(self) -> Hook | None:
        hook = self._serialize_item
        return None if getattr(hook, "__func__", None) is _SERIALIZE else hook

    @property
    def _decode_hook(self) -> Hook | None:
        hook = self._deserialize_item
        return None if getattr(hook, "__func__", None) is _DESERIALIZE else hook

    @property
    def _overrides_operations(self) -> bool:
        return any(
            getattr(type(self), name) is not getattr(SQLAlchemySession, name)
            for name in ("get_items", "add_items", "pop_item", "clear_session")
        )

    _engine = engine  # this and the following are known to subclasses of openai-agents' class

    @property
    def _metadata(self) -> MetaData:
        return self._core.runner.tables.metadata

    @property
    def _sessions(self) -> Table:
        return self._core.runner.tables.sessions

    @property
    def _messages(self) -> Table:
        return self._core.runner.tables.messages

    @property
    def _session_factory(self) -> async_sessionmaker[AsyncSession]:
        return make_session_factory(self._core.runner.engine)

    async def _ensure_tables(self) -> None:
        await self._core.runner.statements()

    @property
    def _items(self) -> SessionItems:
        items = self._known_items
        if items is None:
            items = self._known_items = SessionItems(self._core, self._session_id)
        return items


_SERIALIZE = SQLAlchemySession._serialize_item
_DESERIALIZE = SQLAlchemySession._deserialize_item
