"""SQLite, through aiosqlite."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Sequence
from traceback import clear_frames
from typing import Any

from sqlalchemy import Connection, Dialect, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.util import await_only

from strongroom.protocols import Stored
from strongroom.sql.dialects.base.session import Database, Row, Statement, index_of
from strongroom.sql.schema import CurrentTimestamp, Tables

_RETURNING = (3, 35)
_PUSH_SECONDS = 5.0
_VALUES = {str, bytes}
_TRANSIENT = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class SQLite(Database):
    """One writer at a time: a transaction begins with a write, and so with the lock."""

    name = "sqlite"
    pops_at_once = sqlite3.sqlite_version_info >= _RETURNING

    def __init__(self, tables: Tables, dialect: Dialect, *, indexed: bool) -> None:
        super().__init__(tables, dialect, indexed=indexed)
        sessions, messages = tables.sessions, tables.messages
        self._upsert = self.compile(
            upsert(sessions)
            .values(session_id=bindparam("key"))
            .on_conflict_do_update(
                index_elements=[sessions.c.session_id], set_={"updated_at": CurrentTimestamp()}
            )
        )
        self._insert = self.compile(
            insert(messages)
            .inline()
            .values(session_id=bindparam("key"), message_data=bindparam("value"))
        )
        self._lock_by_writing = self.compile(
            update(sessions).where(self.is_session).values(updated_at=sessions.c.updated_at)
        )
        newest = select(func.max(messages.c.id)).where(self.of_session).scalar_subquery()
        self._claim = self.compile(
            delete(messages).where(
                self.of_session,
                messages.c.id == bindparam("row_id"),
                newest == bindparam("newest"),
            )
        )
        self._pop = self.compile(
            delete(messages)
            .where(self.of_session, messages.c.id == newest)
            .returning(messages.c.id, messages.c.message_data)
        )

    def begin(self, conn: Connection, *, writes: bool, single: bool) -> Connection:
        """Open the transaction where the driver would not: under its autocommit."""
        if writes:
            driver: Any = conn.connection.driver_connection
            if driver.isolation_level is None and not driver.in_transaction:
                conn.exec_driver_sql("BEGIN IMMEDIATE")
        return conn

    def push_in(self, conn: Connection) -> None:
        """Take the write lock by asking for it often.

        SQLite asks the more seldom the longer it waits, up to ten times a second, so that a process
        whose neighbours write all the time may wait for ever.
        """
        timeout: Any = conn.exec_driver_sql("PRAGMA busy_timeout").scalar()
        conn.exec_driver_sql("PRAGMA busy_timeout = 0")
        until = time.monotonic() + _PUSH_SECONDS
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

    @classmethod
    def make_tables(cls, conn: Connection, tables: Tables) -> None:
        """Make missing tables under the write lock; a file that this creates gets WAL."""
        pages: Any = conn.exec_driver_sql("PRAGMA page_count").scalar()
        if pages == 0:
            # Readers and a writer work side by side then.
            conn.exec_driver_sql("PRAGMA journal_mode = WAL")
        driver: Any = conn.connection.driver_connection
        if not driver.in_transaction:
            conn.exec_driver_sql("BEGIN IMMEDIATE")
        super().make_tables(conn, tables)

    @classmethod
    def add_index(cls, conn: Connection, tables: Tables) -> None:
        """Add the index; SQLite keeps other writers waiting meanwhile."""
        index_of(tables).create(conn, checkfirst=True)
        conn.commit()

    @staticmethod
    def is_transient(error: DBAPIError) -> bool:
        """Tell a locked database, by SQLite's primary result code."""
        code = getattr(error.orig, "sqlite_errorcode", None)
        return code is not None and code & 0xFF in _TRANSIENT

    def touch(self, conn: Connection, session_id: str) -> None:
        """Make the session where it is missing, and note that it changes."""
        self._upsert.run(conn, key=session_id)

    def append(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> None:
        """Add a batch."""
        self.touch(conn, session_id)
        self._insert.run_many(conn, [(session_id, value) for value in values])

    def replace(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> bool:
        """Put a batch in the place of all rows."""
        self.touch(conn, session_id)
        self.delete_rows(conn, session_id)
        if values:
            self._insert.run_many(conn, [(session_id, value) for value in values])
        return True

    def from_micros(self, micros: int) -> Any:
        """Return a time as SQLite writes its own."""
        return str(super().from_micros(micros))

    def claim(self, conn: Connection, session_id: str, row_id: int, version: Any) -> bool:
        """Delete a row while the newest one is still the one that was seen."""
        return bool(
            self._claim.run(conn, key=self.key(session_id), row_id=row_id, newest=version).rowcount
        )

    def read(self, statement: Statement, conn: Connection, **values: Any) -> Any:
        """Execute a statement that reads; text that is no UTF-8, which SQLite takes, is bytes."""
        try:
            return super().read(statement, conn, **values)
        except OperationalError as error:
            if not _is_undecodable(error):
                raise
            _let_go(error)
        driver: Any = conn.connection.driver_connection
        usual, driver.text_factory = driver.text_factory, _text_or_bytes
        try:
            return super().read(statement, conn, **values)
        finally:
            driver.text_factory = usual

    def pop_newest(self, conn: Connection, session_id: str) -> Row | None:
        """Delete and return the newest row."""
        try:
            row = self._pop.run(conn, key=self.key(session_id)).first()
        except OperationalError as error:
            if not _is_undecodable(error):
                raise
            _let_go(error)
            conn.rollback()
            self.begin(conn, writes=True, single=False)
            return super().pop_newest(conn, session_id)
        return None if row is None else (row[0], _stored(row[1]))

    def pairs(self, result: Any) -> list[Row]:
        """Return rows whose values are text or bytes, which SQLite's columns need not hold."""
        rows = super().pairs(result)
        if {type(value) for _, value in rows} <= _VALUES:
            return rows
        return [(row_id, _stored(value)) for row_id, value in rows]

    def lock(self, conn: Connection, session_id: str) -> bool:
        """Take the database's one write lock by writing."""
        return bool(self._lock_by_writing.run(conn, key=self.key(session_id)).rowcount)


def _stored(value: Any) -> Stored:
    """Return what no codec reads for a number."""
    return value if type(value) in _VALUES else str(value).encode()


def _is_undecodable(error: OperationalError) -> bool:
    return "Could not decode to UTF-8" in str(error.orig)


def _let_go(error: BaseException | None) -> None:
    """Drop what the frames of a failed statement hold.

    SQLAlchemy 2.0 leaves its cursor open there, and the statement would keep its locks.
    """
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__


def _text_or_bytes(value: bytes) -> Stored:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
