"""A store: an engine, a pair of tables and a codec; what concerns many sessions."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias, Unpack

from strongroom.codec.codec import Codec
from strongroom.codec.guards import Outcome
from strongroom.codec.row_codec import RowCodec
from strongroom.codec.serializers.json import JsonSerializer
from strongroom.core import offload
from strongroom.errors import ConfigurationError, DecodeError, NotJSONError, RowLeftOutError
from strongroom.history.ledgered import LinkedHistory
from strongroom.history.plain import History, PlainHistory
from strongroom.keys.keyring import Keyring
from strongroom.ledger.ledger import Ledger
from strongroom.protocols import Item, Stored
from strongroom.sql.engine import make_engine
from strongroom.sql.runner import Backend
from strongroom.sql.schema import ColumnType
from strongroom.store import overview, transfer
from strongroom.store.overview import SessionInfo, Stats

if TYPE_CHECKING:
    from datetime import datetime

    from agents.memory import SessionSettings
    from sqlalchemy import URL, MetaData
    from sqlalchemy.ext.asyncio import AsyncEngine

    from strongroom.session.session import SQLAlchemySession
    from strongroom.store.options import StoreOptions

logger = logging.getLogger("strongroom")

OnError: TypeAlias = Literal["raise", "skip"] | None


def _load_sessions(*arguments: Any) -> SQLAlchemySession:
    """Make the first session where nothing has loaded their module yet."""
    import_module("strongroom.session.session")
    return SessionStore._new_session(*arguments)


class SessionStore:
    """Many sessions in one pair of tables, written and read by one codec.

    An application has one store, and ``session()`` costs it microseconds. ``engine`` is an
    AsyncEngine that the caller keeps; ``from_url`` makes and owns one. Raises ConfigurationError
    for arguments that do not fit together.
    """

    _new_session: ClassVar[Callable[..., SQLAlchemySession]] = staticmethod(_load_sessions)
    """Set by the module of sessions, which stands above this one."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        create_tables: bool = False,
        sessions_table: str = "agent_sessions",
        messages_table: str = "agent_messages",
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
        if on_error not in {None, "raise", "skip"}:
            raise ConfigurationError(f'on_error is None, "raise" or "skip", not {on_error!r}.')
        if not isinstance(namespace, str):
            raise ConfigurationError(f"namespace is a str, not {type(namespace).__name__}.")
        self.codec = _resolve(codec, keys, ensure_ascii=ensure_ascii)
        self.namespace = namespace
        self.on_error = on_error
        if ledger is not None and not isinstance(ledger, Ledger):
            raise ConfigurationError("ledger is a Ledger, such as Ledger(Keyring(…)).")
        self.ledger = ledger
        self.backend = Backend(
            engine,
            sessions_table=sessions_table,
            messages_table=messages_table,
            column_type=column_type,
            schema=schema,
            create_tables=create_tables,
            transactions=transactions,
            ledger=ledger is not None,
        )
        self._text = column_type == "text"
        self._owns_engine = False

    @classmethod
    def from_url(
        cls,
        url: str | URL,
        *,
        engine_kwargs: dict[str, Any] | None = None,
        **options: Unpack[StoreOptions],
    ) -> Self:
        """Make an engine for a database URL and a store on it; ``aclose`` disposes of both.

        ``engine_kwargs`` go to ``create_async_engine``, the other options to the constructor.
        """
        store = cls(make_engine(url, engine_kwargs), **options)
        store._owns_engine = True
        return store

    @property
    def engine(self) -> AsyncEngine:
        """The engine that the store was given, or made."""
        return self.backend.engine

    @property
    def metadata(self) -> MetaData:
        """The tables, for Alembic."""
        return self.backend.tables.metadata

    async def create_tables(self) -> None:
        """Make the tables that are missing; change none that exists."""
        await self.backend.make_tables()

    async def upgrade(self) -> bool:
        """Add the index that tables of openai-agents lack; returns whether it was missing.

        Writers go on meanwhile on PostgreSQL and MySQL; on SQLite they wait.
        """
        return await self.backend.add_index()

    def session(
        self,
        session_id: str,
        *,
        session_settings: SessionSettings | dict[str, Any] | None = None,
    ) -> SQLAlchemySession:
        """Return the session of this id; nothing is read or written yet."""
        return self._new_session(self, session_id, session_settings)

    # Many sessions ------------------------------------------------------------------------------

    async def list_sessions(
        self,
        prefix: str | None = None,
        updated_before: datetime | None = None,
        updated_after: datetime | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[SessionInfo]:
        """Return a page of sessions in the order of their ids' bytes, with their rows counted.

        ``after`` is the last session id of the page before. ``prefix`` is compared byte for byte.
        Times are aware, in UTC; ValueError for naive ones.
        """
        return await overview.list_sessions(
            self, prefix, updated_before, updated_after, after, limit
        )

    async def delete_session(self, session_id: str) -> bool:
        """Remove a session with all its items, readable or not; False if there was none."""
        return await overview.delete_session(self, session_id)

    async def delete_sessions(
        self, *, updated_before: datetime, prefix: str | None = None, batch_size: int = 100
    ) -> int:
        """Remove the sessions last updated before a time, in batches; returns how many.

        A session that is written to meanwhile stays. With a ledger, so does one whose head or
        newest row does not verify, or whose newest row is younger than its ``updated_at``: it is
        logged, and when the others are gone HistoryTamperedError or UnknownKeyError is raised for
        the first such session. ValueError for a naive time.
        """
        return await overview.delete_sessions(self, updated_before, prefix, batch_size)

    async def stats(self) -> Stats:
        """Count sessions, rows, bytes, and rows by codec and by key id; needs no key."""
        return await overview.stats(self)

    async def fork(self, source: str, target: str, upto: int | None = None) -> int:
        """Copy the first ``upto`` items of a session, or all, into a new one; returns how many.

        They are encoded, and encrypted, for the new session, and are all there or none. Raises
        DecodeError for a row that cannot be read, and ValueError if ``target`` has items.
        """
        return await transfer.fork(self, source, target, upto)

    def export_items(
        self, session_id: str | None = None, *, prefix: str | None = None
    ) -> AsyncIterator[str]:
        """Yield a line of JSON for each item, without its line break, session by session.

        All sessions, one, or those whose id begins with a prefix. The lines are **not** encrypted;
        ``strongroom.store.jsonlines`` describes them. Raises DecodeError as ``on_error`` says.
        """
        return transfer.export_items(self, session_id, prefix)

    async def import_items(
        self,
        lines: AsyncIterable[str] | Iterable[str],
        *,
        append: bool = False,
        batch_rows: int = 500,
    ) -> int:
        """Write the lines of an export, each batch all or nothing; returns how many were written.

        Items that a session has already have to be the first ones of its lines, and are not written
        again, so an import that was interrupted is repeated as it is; ConflictError if they are
        others. ``append`` adds all lines to what is there. Raises PayloadError with the number of a
        line that cannot be read; batches before it have been written.
        """
        return await transfer.import_items(self, lines, append=append, batch_rows=batch_rows)

    async def aclose(self) -> None:
        """Dispose of the engine if the store made it."""
        if self._owns_engine:
            await self.engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def check_session_id(self, session_id: str) -> None:
        """Raise ValueError for an id that is no non-empty text without NUL."""
        given: object = session_id
        if not isinstance(given, str) or not given or "\0" in given:
            raise ValueError(
                "A session id is a str of at least one character, and none of them is NUL."
            )
        try:
            size = len(session_id.encode())
        except UnicodeEncodeError:
            size = -1
        if size < 0:
            raise ValueError("A session id is text that UTF-8 can hold: it has a lone surrogate.")
        if self.backend.longest_id is not None and size > self.backend.longest_id:
            raise ValueError(
                f"The session id has {size} bytes of UTF-8, and this database holds "
                f"{self.backend.longest_id}."
            )

    # Between items and rows -------------------------------------------------------------------

    def bind(self, session_id: str) -> RowCodec:
        """Return the codec for the rows of one session."""
        return self.codec.bind(session_id, self.namespace)

    def history(self, session_id: str) -> History:
        """Return the rows of one session."""
        if self.ledger is None:
            return PlainHistory(self.backend, session_id)
        bound = self.ledger.bind(session_id, self.namespace)
        return LinkedHistory(self.backend, session_id, bound, self.ledger.witness)

    def to_column(self, bound: RowCodec, item: Item) -> Stored:
        """Return what the column holds for an item; raises EncodeError."""
        return bound.encode_text(item) if self._text else bound.encode(item)

    @property
    def is_text(self) -> bool:
        """Whether rows lie in a text column."""
        return self._text

    async def encode(self, bound: RowCodec, items: Iterable[Item]) -> list[Stored]:
        """Encode a batch; what takes long is done in a thread, and the event loop goes on."""
        return await offload.encode(bound.encode_text if self._text else bound.encode, items)

    async def decode(self, bound: RowCodec, stored: Sequence[Stored]) -> list[Outcome]:
        """Decode rows; what takes long is done in a thread, and the event loop goes on."""
        return await offload.decode(bound, stored)

    def leaves_out(self, error: DecodeError) -> bool:
        """Decide whether a row that cannot be read is left out, and log it if so."""
        left_out = (
            self.on_error == "skip"
            or isinstance(error, RowLeftOutError)
            or (
                # openai-agents leaves out bare rows that are not JSON, and so do we until a
                # cipher makes every such row suspicious.
                self.on_error is None
                and self.codec.cipher is None
                and isinstance(error, NotJSONError)
            )
        )
        if left_out:
            logger.warning("A row was left out: %s: %s", type(error).__name__, error)
        return left_out


def _resolve(codec: str | Codec, keys: Keyring | None, *, ensure_ascii: bool) -> Codec:
    if isinstance(codec, Codec):
        if keys is not None:
            raise ConfigurationError(
                "The codec has its keys already: pass keys only with a spec such as "
                "'orjson+aesgcm'."
            )
        resolved = codec
    elif keys is not None and not isinstance(keys, Keyring):
        raise ConfigurationError("keys is a Keyring, such as Keyring(Key.from_base64(…)).")
    elif isinstance(codec, str):
        resolved = _parse(codec, keys)
    else:
        raise ConfigurationError(f"codec is a spec or a Codec, not {type(codec).__name__}.")
    if ensure_ascii:
        return resolved
    if not isinstance(resolved.serializer, JsonSerializer):
        raise ConfigurationError(
            f"ensure_ascii=False concerns the json serializer alone; {resolved.serializer.name} "
            f"never escapes: leave the argument out."
        )
    return replace(resolved, serializer=JsonSerializer(ensure_ascii=False))


@lru_cache(maxsize=64)
def _parse(spec: str, keys: Keyring | None) -> Codec:
    """Parse a spec; kept, since a web application makes a session for each request."""
    return Codec.parse(spec, keys=keys)
