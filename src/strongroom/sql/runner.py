"""An engine and a pair of tables, ready for operations."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool, StaticPool
from sqlalchemy.util import greenlet_spawn

from strongroom.errors import ConfigurationError, ConflictError
from strongroom.format.ledger import Head
from strongroom.sql import inspection
from strongroom.sql.dialects.base.ledger import Heads
from strongroom.sql.dialects.base.session import Database
from strongroom.sql.dialects.postgresql.ledger import PostgreSQLHeads
from strongroom.sql.gate import Gate, settle
from strongroom.sql.schema import ColumnType, Tables, build_tables

T = TypeVar("T")

RETRY_SECONDS = 60.0
"""How long an operation goes on trying while other writers win."""


_Key: TypeAlias = tuple[str, str, ColumnType, str | None, bool]

_MOST_HEADS = 10_000
"""How many sessions' heads an engine's stores remember; some 300 bytes each."""


@dataclass
class _Shared:
    """What all stores on one engine have in common."""

    writers: Gate | None
    """Where writers of SQLite wait, whose file takes one at a time."""
    readers: Gate | None
    """Where readers of SQLite wait: the pool's own queue serves one event loop only."""
    settles: bool
    """Whether what has begun is run to its end, whoever is cancelled."""
    databases: dict[_Key, Database] = field(default_factory=dict)
    head_statements: dict[Database, Heads] = field(default_factory=dict)
    heads: OrderedDict[tuple[_Key, bytes], Head] = field(default_factory=OrderedDict)
    heads_guard: threading.Lock = field(default_factory=threading.Lock)
    preparing: Gate = field(default_factory=Gate)
    sessions: WeakValueDictionary[Hashable, Gate] = field(default_factory=WeakValueDictionary)


_engines: WeakKeyDictionary[Engine, _Shared] = WeakKeyDictionary()
_files: WeakValueDictionary[str, Gate] = WeakValueDictionary()


class Backend:
    """Runs operations on the tables of a store, with the locks and retries that they need.

    Building one costs microseconds. The tables are made, where asked for, and looked at before the
    first operation on an engine.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        sessions_table: str,
        messages_table: str,
        column_type: ColumnType,
        schema: str | None,
        create_tables: bool,
        transactions: bool,
        ledger: bool = False,
    ) -> None:
        if not isinstance(engine, AsyncEngine):
            raise ConfigurationError(
                f"engine is an AsyncEngine (sqlalchemy.ext.asyncio.create_async_engine), not "
                f"{type(engine).__name__}."
            )
        if column_type not in {"text", "binary"}:
            raise ConfigurationError(f'column_type is "text" or "binary", not {column_type!r}.')
        self.engine = engine
        self.sync_engine = engine.sync_engine
        self.create_tables = create_tables
        self.transactions = transactions
        self._key = (sessions_table, messages_table, column_type, schema, ledger)
        shared = _engines.get(self.sync_engine)
        if shared is None:
            shared = _engines.setdefault(self.sync_engine, _share(self.sync_engine))
        self._shared = shared
        self._database = shared.databases.get(self._key)
        self._kind = inspection.database_of(self.sync_engine)

    @property
    def tables(self) -> Tables:
        """The tables and their MetaData."""
        return build_tables(*self._key)

    async def prepare(self) -> Database:
        """Make the tables if asked to, look at them once, and return their statements."""
        if self._database is None:
            async with self._shared.preparing:
                self._database = self._shared.databases.get(self._key)
                if self._database is None:
                    self._database = await self._run(self._prepare, self._shared.writers)
                    self._shared.databases[self._key] = self._database
        return self._database

    async def make_tables(self) -> None:
        """Make the tables that are missing, now."""
        async with self._shared.preparing:
            await self._run(
                lambda: inspection.create(self.sync_engine, self.tables), self._shared.writers
            )

    async def add_index(self) -> bool:
        """Add the index on (session_id, id) if it is missing; returns whether it was."""
        database = await self.prepare()
        if database.indexed:
            return False
        async with self._shared.preparing:
            await self._run(
                lambda: inspection.add_index(self.sync_engine, self.tables), self._shared.writers
            )
            self._shared.databases.pop(self._key, None)
            self._database = None
        return True

    @property
    def longest_id(self) -> int | None:
        """How many bytes of UTF-8 a session id may have on this database."""
        return self._kind.longest_id

    async def read(self, operation: Callable[[Database, Connection], T]) -> T:
        """Run an operation of a single statement that changes nothing."""
        database = self._database or await self.prepare()
        return await self._run(
            lambda: self._operate(database, operation, writes=False, single=True),
            self._shared.readers,
            again=True,
        )

    async def write(
        self, operation: Callable[[Database, Connection], T], *, single: bool = True
    ) -> T:
        """Run an operation and commit it; ``single``: one statement where the database can.

        An operation that raises is rolled back.
        """
        database = self._database or await self.prepare()
        tries = count()

        def work() -> T:
            late = next(tries) > 0
            return self._operate(database, operation, writes=True, single=single, late=late)

        return await self._run(work, self._shared.writers)

    def _prepare(self) -> Database:
        if self.create_tables:
            inspection.create(self.sync_engine, self.tables)
        return inspection.inspect(self.sync_engine, self.tables)

    def _operate(
        self,
        database: Database,
        operation: Callable[[Database, Connection], T],
        *,
        writes: bool,
        single: bool,
        late: bool = False,
    ) -> T:
        with self.sync_engine.connect() as conn:
            if late:
                database.push_in(conn)
            ready = self._begin(database, conn, writes=writes, single=single)
            result = operation(database, ready)
            if writes:
                ready.commit()
            return result

    def _begin(
        self, database: Database, conn: Connection, *, writes: bool, single: bool
    ) -> Connection:
        """Prepare a connection that is alive, as far as can be told without asking the server."""
        single = single and not self.transactions
        while True:
            while database.is_stale(conn):
                conn.invalidate()
            try:
                return database.begin(conn, writes=writes, single=single)
            except DBAPIError as error:
                # Nothing has been asked for yet, and the pool drops all its old connections.
                if not error.connection_invalidated or not conn.invalidated:
                    raise
            conn.rollback()

    async def _run(self, work: Callable[[], T], gate: Gate | None, *, again: bool = False) -> T:
        """Run work in a greenlet, again and again while its failures are transient.

        Cancelling a statement closes its connection, and a database in memory goes with it: what
        has begun on SQLite is therefore run to its end. ``again``: the work changes nothing, so it
        is tried once more when its connection turns out to be lost.
        """
        deadline = time.monotonic() + RETRY_SECONDS
        delay = 0.001
        while True:
            try:
                if gate is None:
                    return await self._spawn(work)
                async with gate:
                    return await self._spawn(work)
            except DBAPIError as error:
                lost = again and error.connection_invalidated
                if not lost and not self._kind.is_transient(error):
                    raise
                again = again and not lost
                if time.monotonic() > deadline:
                    raise ConflictError(
                        f"Other writers kept the database busy for {RETRY_SECONDS:.0f} seconds; "
                        f"nothing was changed: try again."
                    ) from error
            await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311 - only jitter
            delay = min(delay * 2, 0.25)

    async def _spawn(self, work: Callable[[], T]) -> T:
        if self._shared.settles:
            return await settle(greenlet_spawn(work))
        return await greenlet_spawn(work)

    def head_statements(self, database: Database) -> Heads:
        """Return the statements for the heads of a ledger."""
        statements = self._shared.head_statements.get(database)
        if statements is None:
            kind = PostgreSQLHeads if database.name == "postgresql" else Heads
            statements = self._shared.head_statements[database] = kind(database)
        return statements

    def remembered_head(self, key: bytes) -> Head | None:
        """Return the last head of a session that was stored or read here, if still known."""
        return self._shared.heads.get((self._key, key))

    def remember_head(self, key: bytes, head: Head) -> None:
        """Remember a head; the session that was longest without a change is forgotten for it."""
        heads = self._shared.heads
        with self._shared.heads_guard:
            heads[self._key, key] = head
            heads.move_to_end((self._key, key))
            if len(heads) > _MOST_HEADS:
                heads.popitem(last=False)

    def forget_head(self, key: bytes) -> None:
        """Forget a head that turned out not to be the last."""
        with self._shared.heads_guard:
            self._shared.heads.pop((self._key, key), None)

    def gate_of(self, session_id: str) -> Gate:
        """Return the gate where this process's pops of one session wait for one another."""
        return self._shared.sessions.setdefault((self._key, session_id), Gate())

    def restarts(self) -> Restarts:
        """Return the bounded tries of an operation that another writer may outrun."""
        return Restarts()


class Restarts:
    """Counts on a clock how long an operation has been outrun by other writers."""

    def __init__(self) -> None:
        self._deadline = time.monotonic() + RETRY_SECONDS

    def check(self) -> None:
        """Raise ConflictError if it has been tried long enough."""
        if time.monotonic() > self._deadline:
            raise ConflictError(
                f"Other writers kept changing the session for {RETRY_SECONDS:.0f} seconds; "
                f"nothing was changed: try again."
            )


def _share(engine: Engine) -> _Shared:
    """Decide who waits for whom on an engine."""
    pool = engine.pool
    if isinstance(pool, StaticPool):
        gate = Gate()
        return _Shared(writers=gate, readers=gate, settles=True)
    if engine.dialect.name != "sqlite":
        return _Shared(writers=None, readers=None, settles=False)
    path = engine.url.database or ""
    if not path or path.startswith("file:"):
        writers = Gate()
    else:
        # SQLite locks files: two engines on one file wait for each other here, in order.
        writers = _files.setdefault(os.path.realpath(path), Gate())
    if not isinstance(pool, QueuePool) or pool._max_overflow < 0:
        return _Shared(writers=writers, readers=None, settles=True)
    # One connection is left to the writer.
    places = pool.size() + pool._max_overflow - 1
    readers = Gate(places) if places else writers
    return _Shared(writers=writers, readers=readers, settles=True)
