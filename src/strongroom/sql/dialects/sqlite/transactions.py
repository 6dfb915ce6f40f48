"""Connections, transactions and waiting on SQLite, whose file takes one writer at a time."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import time
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool, StaticPool
from sqlalchemy.util import await_only

from strongroom.sql.dialects.base.transactions import Transactions
from strongroom.sql.gate import EngineGates, Gate

_LOCK_SECONDS = 5.0
_TRANSIENT = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}

_files: WeakValueDictionary[str, Gate] = WeakValueDictionary()
"""The gates of the files that engines of this process write to."""


class SQLiteTransactions(Transactions):
    """One writer at a time: a transaction begins with a write, and so with the lock."""

    def begin(self, conn: Connection, *, writes: bool, single: bool) -> Connection:
        """Open the transaction where the driver would not: under its autocommit."""
        if writes:
            driver: Any = conn.connection.driver_connection
            if driver.isolation_level is None and not driver.in_transaction:
                conn.exec_driver_sql("BEGIN IMMEDIATE")
        return conn

    def acquire_write_lock(self, conn: Connection) -> None:
        """Take the write lock by asking for it often.

        SQLite asks the more seldom the longer it waits, up to ten times a second, so that a process
        whose neighbours write all the time may wait for ever.
        """
        timeout: Any = conn.exec_driver_sql("PRAGMA busy_timeout").scalar()
        conn.exec_driver_sql("PRAGMA busy_timeout = 0")
        until = time.monotonic() + _LOCK_SECONDS
        try:
            while True:
                try:
                    conn.exec_driver_sql("BEGIN IMMEDIATE")
                except DBAPIError as error:
                    if not self.is_transient(error) or time.monotonic() > until:
                        raise
                else:
                    return
                await_only(asyncio.sleep(random.uniform(0.001, 0.004)))  # noqa: S311 - jitter
        finally:
            conn.exec_driver_sql(f"PRAGMA busy_timeout = {int(timeout)}")

    def is_transient(self, error: DBAPIError) -> bool:
        """Tell a locked database, by SQLite's primary result code."""
        code = getattr(error.orig, "sqlite_errorcode", None)
        return code is not None and code & 0xFF in _TRANSIENT

    def gates(self, engine: Engine) -> EngineGates:
        """Let writers of one file wait in order, and readers for a connection of the pool.

        Cancelling a statement closes its connection, and a database in memory goes with it: an
        operation that has begun is therefore run to its end.
        """
        pool = engine.pool
        if isinstance(pool, StaticPool):
            return super().gates(engine)
        path = engine.url.database or ""
        if not path or path.startswith("file:"):
            writers = Gate()
        else:
            # SQLite locks files: two engines on one file wait for each other here, in order.
            writers = _files.setdefault(os.path.realpath(path), Gate())
        if not isinstance(pool, QueuePool) or pool._max_overflow < 0:
            return EngineGates(writers=writers, readers=None, settles=True)
        # The pool's own queue serves one event loop only. One connection is left to the writer.
        places = pool.size() + pool._max_overflow - 1
        readers = Gate(places) if places else writers
        return EngineGates(writers=writers, readers=readers, settles=True)
