"""One conversation in a store: what openai-agents calls a session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

from sqlalchemy.ext.asyncio import async_sessionmaker

from strongroom.codec.codec import Codec
from strongroom.codec.row_codec import RowCodec
from strongroom.errors import DecodeError
from strongroom.history.plain import OPTIMISTIC_TRIES, PlainHistory
from strongroom.keys.keyring import Keyring
from strongroom.ledger.ledger import Ledger
from strongroom.protocols import Item
from strongroom.session.compaction import Snapshot, take_snapshot
from strongroom.session.conversion import Conversion
from strongroom.session.settings import coerce_settings, resolve_limit
from strongroom.sql.engine import make_engine
from strongroom.sql.schema import ColumnType
from strongroom.store.store import OnError, SessionStore

if TYPE_CHECKING:
    from agents.items import TResponseInputItem
    from agents.memory import SessionSettings
    from sqlalchemy import URL, MetaData, Table
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

    from strongroom.store.options import SessionOptions

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
        store = SessionStore(
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
        self._stand_on(store, session_id, session_settings)

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
    def _of_store(cls, store: SessionStore, session_id: str, session_settings: Any) -> Self:
        session = cls.__new__(cls)
        session._stand_on(store, session_id, session_settings)
        return session

    def _stand_on(self, store: SessionStore, session_id: str, session_settings: Any) -> None:
        self._store = store
        self._owns_engine = False
        self.session_id = session_id
        self.session_settings = session_settings

    # What the session is ----------------------------------------------------------------------

    @property
    def session_id(self) -> str:
        """The id of the conversation; setting it turns to another one."""
        return self._session_id

    @session_id.setter
    def session_id(self, session_id: str) -> None:
        self._store.check_session_id(session_id)
        self._session_id = session_id
        self._history = self._store.history(session_id)
        self._bound_codec: RowCodec | None = None

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
        return self._store.engine

    async def aclose(self) -> None:
        """Dispose of the engine if the session made it."""
        if self._owns_engine:
            await self.engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    # What openai-agents asks of a session -------------------------------------------------------

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """Return the items, oldest first; with a limit, the latest ones.

        Raises DecodeError for a row that cannot be read, as ``on_error`` says.
        """
        limit = resolve_limit(limit, self.session_settings)
        if limit == 0:
            return []
        if limit is None:
            return await self._conversion.items(await self._history.rows())
        wanted = min(limit, _MOST_ROWS)
        while True:
            rows = await self._history.last(wanted)
            items = await self._conversion.items(rows)
            if len(items) >= limit or len(rows) < wanted or wanted == _MOST_ROWS:
                return items[-limit:]
            # Rows were left out: look further back, in one statement, for what they hide.
            wanted = min(wanted * 2, _MOST_ROWS)

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Append a batch, all or nothing; raises EncodeError before anything is written."""
        batch = list(items)
        if batch:
            # The id may be set to another one while hooks are awaited.
            history = self._history
            await history.append(await self._conversion.values(batch))

    async def pop_item(self) -> TResponseInputItem | None:
        """Remove and return the newest item, None if there is none.

        A row that cannot be read is not deleted: it raises DecodeError, or is passed over as
        ``on_error`` says.
        """
        history, backend = self._history, self._store.backend
        plain = history if isinstance(history, PlainHistory) and not self._hooked_decode else None
        if plain is not None and (await backend.prepare()).pops_at_once:
            popped, item = await self._pop_at_once(plain)
            if popped:
                return item
        async with backend.gate_of(self.session_id):
            restarts = backend.restarts()
            for attempt in count(1):
                row_id, found, moment = await self._newest_readable()
                if row_id is None:
                    return None
                if await history.claim(row_id, moment):
                    return cast("TResponseInputItem", found)
                if plain is not None and attempt >= OPTIMISTIC_TRIES:
                    popped, item = await self._pop_at_once(plain)
                    if popped:
                        return item
                restarts.check()
        return None

    async def _pop_at_once(self, history: PlainHistory) -> tuple[bool, TResponseInputItem | None]:
        """Pop in one transaction; (False, None) if the newest row is one to be passed over."""
        try:
            return True, cast(
                "TResponseInputItem", await history.pop_at_once(self._conversion.decode)
            )
        except DecodeError as error:
            if not self._store.leaves_out(error):
                raise
            return False, None

    async def clear_session(self) -> None:
        """Remove all items, readable or not, and the session."""
        await self._history.clear()

    # What else a session does -------------------------------------------------------------------

    async def replace_items(self, items: list[TResponseInputItem]) -> None:
        """Put a batch in the place of the whole history, in one transaction.

        Raises EncodeError before anything is written, and ConflictError if other writers kept
        coming between.
        """
        history = self._history
        await history.replace(await self._conversion.values(list(items)))

    async def iter_items(self, batch_size: int = 256) -> AsyncIterator[TResponseInputItem]:
        """Yield the items, oldest first, with at most ``batch_size`` rows in memory."""
        if batch_size < 1:
            raise ValueError(f"batch_size is 1 or more, not {batch_size}.")
        async for rows in self._history.batches(batch_size):
            for item in await self._conversion.items(rows):
                yield cast("TResponseInputItem", item)

    async def _atomic_replace_items(self, items: list[TResponseInputItem]) -> bool:
        """Replace the history for openai-agents' compaction; False if a subclass has its own way.

        The compaction has seen readable items only, so a row that cannot be read stops it.
        """
        if self._overrides_operations:
            return False
        for outcome in await self._conversion.outcomes(await self._history.rows()):
            if isinstance(outcome, DecodeError):
                raise outcome
        await self.replace_items(items)
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
        return await take_snapshot(self, limit, prune_prefix)

    # Hooks --------------------------------------------------------------------------------------

    async def _serialize_item(self, item: TResponseInputItem) -> str:
        """Return what the column holds for an item: str in a text column, bytes in a binary one."""
        return cast("str", self._store.to_column(self._bound, item))

    async def _deserialize_item(self, item: str) -> TResponseInputItem:
        """Return the item of what the column holds: str in a text column, bytes in a binary one."""
        return cast("TResponseInputItem", self._bound.decode(item))

    @property
    def _hooked_encode(self) -> bool:
        return getattr(self._serialize_item, "__func__", None) is not _SERIALIZE

    @property
    def _hooked_decode(self) -> bool:
        return getattr(self._deserialize_item, "__func__", None) is not _DESERIALIZE

    @property
    def _overrides_operations(self) -> bool:
        return any(
            getattr(type(self), name) is not getattr(SQLAlchemySession, name)
            for name in ("get_items", "add_items", "pop_item", "clear_session")
        )

    # What subclasses of openai-agents' class know -----------------------------------------------

    @property
    def _engine(self) -> AsyncEngine:
        return self._store.engine

    @property
    def _metadata(self) -> MetaData:
        return self._store.backend.tables.metadata

    @property
    def _sessions(self) -> Table:
        return self._store.backend.tables.sessions

    @property
    def _messages(self) -> Table:
        return self._store.backend.tables.messages

    @property
    def _session_factory(self) -> async_sessionmaker[AsyncSession]:
        return async_sessionmaker(self._store.engine, expire_on_commit=False)

    async def _ensure_tables(self) -> None:
        await self._store.backend.prepare()

    # Between items and rows ---------------------------------------------------------------------

    @property
    def _bound(self) -> RowCodec:
        if self._bound_codec is None:
            self._bound_codec = self._store.bind(self.session_id)
        return self._bound_codec

    @property
    def _conversion(self) -> Conversion:
        return Conversion(
            self._store,
            self.session_id,
            self._bound,
            self._serialize_item if self._hooked_encode else None,
            self._deserialize_item if self._hooked_decode else None,
        )

    async def _newest_readable(self) -> tuple[int | None, Item, Any]:
        """Return the newest item that can be read, its row id, and what claiming it takes."""
        wanted = 1
        while True:
            rows, moment = await self._history.tail(wanted)
            for row in reversed(rows):
                (outcome,) = await self._conversion.outcomes([row])
                if not isinstance(outcome, DecodeError):
                    return row[0], outcome, moment
                if not self._store.leaves_out(outcome):
                    raise outcome
            if len(rows) < wanted:
                return None, None, moment
            wanted *= 2


_SERIALIZE = SQLAlchemySession._serialize_item
_DESERIALIZE = SQLAlchemySession._deserialize_item
SessionStore._new_session = SQLAlchemySession._of_store
