"""Runs operations on the tables of a store, with the gates and retries that they need.

An operation is a method of the statements, or a function, that takes a connection first. It runs in
a greenlet, is rolled back if it raises, and is run again while its failures are transient.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from strongroom.errors import ConfigurationError, ConflictError
from strongroom.sql import inspection, retry
from strongroom.sql.dialects.base.database import Database, Statements
from strongroom.sql.engine_state import state_of
from strongroom.sql.gate import Gate, settle
from strongroom.sql.schema import TableNames, Tables, build_tables

P = ParamSpec("P")
T = TypeVar("T")


class _Mode(NamedTuple):
    """How an operation begins and ends; ``bare``: on a connection that nothing has been done to."""

    writes: bool
    single: bool
    bare: bool = False


_READ = _Mode(writes=False, single=True)
_WRITE = _Mode(writes=True, single=True)
_TRANSACTION = _Mode(writes=True, single=False)
_TABLES = _Mode(writes=False, single=False, bare=True)


class Runner:
    """Runs operations on one pair of tables of an engine.

    Building one costs microseconds. The tables are made, where asked for, and looked at before the
    first operation on an engine.
    """

    def __init__(
        self, engine: AsyncEngine, names: TableNames, *, create_tables: bool, transactions: bool
    ) -> None:
        if not isinstance(engine, AsyncEngine):
            raise ConfigurationError(
                f"engine is an AsyncEngine (sqlalchemy.ext.asyncio.create_async_engine), not "
                f"{type(engine).__name__}."
            )
        if names.column_type not in {"text", "binary"}:
            raise ConfigurationError(
                f'column_type is "text" or "binary", not {names.column_type!r}.'
            )
        if names.messages in {names.sessions, f"{names.sessions}_heads"}:
            raise ConfigurationError(
                f"sessions_table and messages_table name two tables, and a ledger adds "
                f"{names.sessions}_heads: {names.messages!r} cannot be the table of messages too."
            )
        self.engine = engine
        self.names = names
        self._engine = engine.sync_engine
        self._create_tables = create_tables
        self._always_transacts = transactions
        self._state = state_of(self._engine)
        self.database = self._state.database
        self._transactions = self.database.transactions
        self._statements = self._state.statements.get(names)

    @property
    def tables(self) -> Tables:
        """The tables and their MetaData."""
        return build_tables(self.names, self.database.types)

    # The tables -----------------------------------------------------------------------------------

    async def statements(self) -> Statements:
        """Make the tables if asked to, look at them once, and return their statements."""
        return self._statements or await self._look_at_tables()

    async def _look_at_tables(self) -> Statements:
        async with self._state.preparing:
            statements = self._state.statements.get(self.names)
            if statements is None:
                if self._create_tables:
                    await self._on_tables(inspection.create_tables)
                statements = await self._on_tables(inspection.inspect)
                self._state.statements[self.names] = statements
        self._statements = statements
        return statements

    async def create_tables(self) -> None:
        """Make the tables that are missing, now."""
        async with self._state.preparing:
            await self._on_tables(inspection.create_tables)

    async def add_index(self) -> bool:
        """Add the index on (session_id, id) if it is missing; returns whether it was."""
        if (await self.statements()).session.indexed:
            return False
        async with self._state.preparing:
            await self._on_tables(inspection.add_index)
            self._state.statements.pop(self.names, None)
            self._statements = None
        return True

    async def has_heads(self) -> bool:
        """Tell whether the heads of a ledger are there, whether the store knows of them or not."""
        return await self.read(inspection.has_heads, self.database, self.names)

    async def _on_tables(self, operation: Callable[[Connection, Database, Tables], T]) -> T:
        arguments = (self.database, self.tables)
        return await self._run(self._state.gates.writers, _TABLES, operation, arguments, {})

    # Operations -----------------------------------------------------------------------------------

    async def read(
        self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a single statement that changes nothing.

        It is tried once more when its connection turns out to be lost.
        """
        gate = self._state.gates.readers
        try:
            return await self._run(gate, _READ, operation, args, kwargs)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return await self._run(gate, _READ, operation, args, kwargs)

    async def write(
        self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a change that is a single statement where the database has one for it."""
        gate = self._state.gates.writers
        return await self._run(gate, _WRITE, operation, args, kwargs)

    async def transact(
        self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a change that takes several statements, in one transaction."""
        gate = self._state.gates.writers
        return await self._run(gate, _TRANSACTION, operation, args, kwargs)

    def session_gate(self, session_id: str) -> Gate:
        """Return the gate where this process's pops of one session wait for one another."""
        key = (self.names, session_id)
        gate = self._state.sessions.get(key)
        return self._state.sessions.setdefault(key, Gate()) if gate is None else gate

    async def _run(
        self,
        gate: Gate | None,
        mode: _Mode,
        operation: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> T:
        """Run an operation, again and again while its failures are transient."""
        deadline: retry.Deadline | None = None
        delay = 0.001
        while True:
            if gate is not None:
                await gate.enter()
            try:
                late = deadline is not None
                work = greenlet_spawn(self._operate, mode, operation, args, kwargs, late)
                return await (settle(work) if self._state.gates.settles else work)
            except DBAPIError as error:
                if not self._transactions.is_transient(error):
                    raise
                deadline = deadline or retry.Deadline()
                if deadline.is_over:
                    raise ConflictError(
                        f"Other writers kept the database busy for {retry.RETRY_SECONDS:.0f} "
                        f"seconds; nothing was changed: try again."
                    ) from error
            finally:
                if gate is not None:
                    gate.leave()
            await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311 - only jitter
            delay = min(delay * 2, 0.25)

    def _operate(
        self,
        mode: _Mode,
        operation: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        late: bool,
    ) -> T:
        with self._engine.connect() as conn:
            if mode.bare:
                return operation(conn, *args, **kwargs)
            if late and mode.writes:
                self._transactions.acquire_write_lock(conn)
            ready = self._begin(conn, mode)
            result = operation(ready, *args, **kwargs)
            if mode.writes:
                try:
                    ready.commit()
                except BaseException:
                    del result  # a popped item, perhaps: the traceback keeps this frame
                    raise
            return result

    def _begin(self, conn: Connection, mode: _Mode) -> Connection:
        """Prepare a connection that is alive, as far as can be told without asking the server."""
        transactions = self._transactions
        single = mode.single and not self._always_transacts
        while True:
            while transactions.is_stale(conn):
                conn.invalidate()
            try:
                return transactions.begin(conn, writes=mode.writes, single=single)
            except DBAPIError as error:
                # Nothing has been asked for yet, and the pool drops all its old connections.
                if not error.connection_invalidated or not conn.invalidated:
                    raise
            conn.rollback()
