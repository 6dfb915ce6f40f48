"""A store: an engine, a pair of tables and a codec; what concerns many sessions."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, Self, Unpack

from strongroom.core.build import build_core
from strongroom.core.core import Core
from strongroom.core.unreadable import OnError
from strongroom.session.session import SQLAlchemySession
from strongroom.sql.engine import make_engine
from strongroom.sql.schema import ColumnType
from strongroom.store import deletion, export, importing, listing
from strongroom.store import fork as forking
from strongroom.store import stats as statistics
from strongroom.store.listing import SessionInfo
from strongroom.store.stats import Stats

if TYPE_CHECKING:
    from datetime import datetime

    from agents.memory import SessionSettings
    from sqlalchemy import URL, MetaData
    from sqlalchemy.ext.asyncio import AsyncEngine

    from strongroom.codec.codec import Codec
    from strongroom.core.options import StoreOptions
    from strongroom.keys.keyring import Keyring
    from strongroom.ledger.ledger import Ledger


class SessionStore:
    """Many sessions in one pair of tables, written and read by one codec.

    An application has one store, and ``session()`` costs it microseconds. ``engine`` is an
    AsyncEngine that the caller keeps; ``from_url`` makes and owns one. Raises ConfigurationError
    for arguments that do not fit together.
    """

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
        self._core = build_core(
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
        return self._core.runner.engine

    @property
    def metadata(self) -> MetaData:
        """The tables, for Alembic."""
        return self._core.runner.tables.metadata

    @property
    def codec(self) -> Codec:
        """The codec that rows are written by."""
        return self._core.codec

    @property
    def namespace(self) -> str:
        """The namespace that encrypted rows and links are bound to, as the name of the store.

        Rows are bound to nothing else of it: neither to the database nor to the tables.
        """
        return self._core.namespace

    @property
    def ledger(self) -> Ledger | None:
        """The ledger, None for a store without one."""
        return self._core.ledger

    @property
    def on_error(self) -> OnError:
        """The policy for rows that cannot be read: None, ``"raise"`` or ``"skip"``."""
        return self._core.unreadable.on_error

    async def create_tables(self) -> None:
        """Make the tables that are missing; change none that exists."""
        await self._core.runner.create_tables()

    async def upgrade(self) -> bool:
        """Add the index that tables of openai-agents lack; returns whether it was missing.

        Writers go on meanwhile on PostgreSQL and MySQL; on SQLite they wait.
        """
        return await self._core.runner.add_index()

    def session(
        self,
        session_id: str,
        *,
        session_settings: SessionSettings | dict[str, Any] | None = None,
    ) -> SQLAlchemySession:
        """Return the session of this id; nothing is read or written yet."""
        return SQLAlchemySession._of_core(self._core, session_id, session_settings)

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
        Times are aware, in UTC; ValueError for naive ones. A session whose own row is gone is
        listed by its messages, or by the head that a ledger has of it, unless a time is asked for.
        """
        return await listing.list_sessions(
            self._core, prefix, updated_before, updated_after, after, limit
        )

    async def delete_session(self, session_id: str) -> bool:
        """Remove a session with all its items, readable or not; False if there was none."""
        self._core.check_session_id(session_id)
        return await self._core.history(session_id).delete()

    async def delete_sessions(
        self, *, updated_before: datetime, prefix: str | None = None, batch_size: int = 100
    ) -> int:
        """Remove the sessions last updated before a time, in batches; returns how many.

        A session that is written to meanwhile stays. So does one whose time cannot be read, that
        has no row of its own, or whose id is not text: it is logged. With a ledger, so does one
        whose head or newest row does not verify, or whose newest row is younger than its
        ``updated_at``: it is logged, and when the others are gone HistoryTamperedError or
        UnknownKeyError is raised for the first such session. ValueError for a naive time.
        """
        return await deletion.delete_sessions(self._core, updated_before, prefix, batch_size)

    async def stats(self) -> Stats:
        """Count sessions, rows, bytes, and rows by codec and by key id; needs no key."""
        return await statistics.stats(self._core)

    async def fork(self, source: str, target: str, upto: int | None = None) -> int:
        """Copy the first ``upto`` items of a session, or all, into a new one; returns how many.

        They are encoded, and encrypted, for the new session, and are all there or none. Raises
        DecodeError for a row that cannot be read, and ValueError if ``target`` has items.
        """
        return await forking.fork(self._core, source, target, upto)

    def export_items(
        self, session_id: str | None = None, *, prefix: str | None = None
    ) -> AsyncIterator[str]:
        """Yield a line of JSON for each item, without its line break, session by session.

        All sessions, one, or those whose id begins with a prefix. The lines are **not** encrypted;
        ``strongroom.store.jsonlines`` describes them. Raises DecodeError as ``on_error`` says.
        """
        return export.export_items(self._core, session_id, prefix)

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
        work = importing.import_items(self._core, lines, append=append, batch_rows=batch_rows)
        del lines  # an error keeps this frame
        return await work

    async def aclose(self) -> None:
        """Dispose of the engine if the store made it."""
        if self._owns_engine:
            await self.engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


def core_of(store: SessionStore) -> Core:
    """Return the core of a store, for the modules that work on whole stores."""
    return store._core
