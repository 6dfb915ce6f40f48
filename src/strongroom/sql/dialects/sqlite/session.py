"""The rows of one session on SQLite, through aiosqlite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import OperationalError

from strongroom.protocols import Stored
from strongroom.sql.dialects.base.facts import TableFacts
from strongroom.sql.dialects.base.session import SessionStatements, Version
from strongroom.sql.dialects.sqlite.undecodable import (
    is_undecodable,
    release_cursor,
    text_or_bytes,
)
from strongroom.sql.rows import Row
from strongroom.sql.schema import CurrentTimestamp, Tables
from strongroom.sql.statement import Statement, fetch

_RETURNING = (3, 35)
_VALUES = {str, bytes}


class SQLiteSession(SessionStatements):
    """Every transaction begins with a write, and so with the database's one write lock."""

    pops_at_once = sqlite3.sqlite_version_info >= _RETURNING

    def __init__(self, tables: Tables, dialect: Dialect, facts: TableFacts) -> None:
        super().__init__(tables, dialect, facts)
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
        self._delete_newest = self.compile(
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

    def touch(self, conn: Connection, session_id: str) -> None:
        """Make the session where it is missing, and note that it changes."""
        self._upsert.run(conn, key=session_id)

    def append(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> None:
        """Add a batch."""
        self._upsert.run(conn, key=session_id)
        self._insert.run_many(conn, [(session_id, value) for value in values])

    def replace(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> bool:
        """Put a batch in the place of all rows."""
        self._upsert.run(conn, key=session_id)
        self.delete_rows(conn, session_id)
        if values:
            self._insert.run_many(conn, [(session_id, value) for value in values])
        return True

    def bind_micros(self, micros: int) -> Any:
        """Return a time as SQLite writes its own."""
        return str(super().bind_micros(micros))

    def delete_at_version(
        self, conn: Connection, session_id: str, row_id: int, version: Version
    ) -> bool:
        """Delete a row while the newest one is still the one that was seen."""
        found = self._delete_newest.run(
            conn, key=self.key(session_id), row_id=row_id, newest=version
        )
        return bool(found.rowcount)

    def run_read(self, statement: Statement, conn: Connection, **values: Any) -> Any:
        """Execute a statement that reads; text that is no UTF-8, which SQLite takes, is bytes."""
        try:
            return statement.run(conn, **values)
        except OperationalError as error:
            if not is_undecodable(error):
                raise
            release_cursor(error)
        driver: Any = conn.connection.driver_connection
        usual, driver.text_factory = driver.text_factory, text_or_bytes
        try:
            return statement.run(conn, **values)
        finally:
            driver.text_factory = usual

    def pop_newest(self, conn: Connection, session_id: str) -> Row | None:
        """Delete and return the newest row."""
        try:
            row = self._pop.run(conn, key=self.key(session_id)).first()
        except OperationalError as error:
            if not is_undecodable(error):
                raise
            release_cursor(error)
            conn.rollback()
            driver: Any = conn.connection.driver_connection
            if driver.isolation_level is None:
                conn.exec_driver_sql("BEGIN IMMEDIATE")
            return super().pop_newest(conn, session_id)
        return None if row is None else (row[0], _stored(row[1]))

    def fetch_rows(self, result: Any) -> list[Row]:
        """Return rows whose values are text or bytes, which SQLite's columns need not hold."""
        rows = fetch(result)
        if {type(value) for _, value in rows} <= _VALUES:
            return rows
        return [(row_id, _stored(value)) for row_id, value in rows]

    def lock(self, conn: Connection, session_id: str) -> bool:
        """Take the database's one write lock by writing."""
        return bool(self._lock_by_writing.run(conn, key=self.key(session_id)).rowcount)


def _stored(value: Any) -> Stored:
    """Return a number as bytes that no codec reads."""
    return value if type(value) in _VALUES else str(value).encode()
