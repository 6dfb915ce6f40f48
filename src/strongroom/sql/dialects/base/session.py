"""The statements on the rows of one session; the folders of the databases say what differs.

The methods are synchronous: they run inside SQLAlchemy's greenlet, one greenlet for a whole
operation, on SQL that was compiled once and on plain tuples. Rows are ``(id, value)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    Select,
    bindparam,
    delete,
    func,
    select,
)

from strongroom.protocols import Stored
from strongroom.sql.dialects.base.facts import TableFacts
from strongroom.sql.rows import Row
from strongroom.sql.schema import Tables
from strongroom.sql.statement import Statement, fetch
from strongroom.sql.times import from_micros

Version: TypeAlias = int | str | None
"""A state of a session, by which a later statement tells that it has not changed since."""


class SessionStatements(ABC):
    """The statements of one database for the rows of one session at a time."""

    pops_at_once = False
    """True if a pop is best done in one transaction, rather than read first and deleted then."""

    def __init__(self, tables: Tables, dialect: Dialect, facts: TableFacts) -> None:
        self.tables = tables
        self.dialect = dialect
        self.indexed = facts.indexed
        self.id_length = facts.session_id_length
        messages = tables.messages
        rows = select(messages.c.id, messages.c.message_data)
        count: Any = bindparam("count")
        later = messages.c.id > bindparam("row_id")
        self._rows = self.compile(rows.where(self.of_session).order_by(messages.c.id))
        self._last = self.compile(self.in_order(rows, newest_first=True).limit(count))
        self._after = self.compile(self.in_order(rows.where(later)).limit(count))
        counted = select(func.count()).select_from(messages)
        self._count = self.compile(counted.where(self.of_session))
        self._lock = self.compile(
            select(tables.sessions.c.session_id).where(self.is_session).with_for_update()
        )
        self._delete_rows = self.compile(delete(messages).where(self.of_session))
        self._delete_row = self.compile(
            delete(messages).where(self.of_session, messages.c.id == bindparam("row_id"))
        )
        self._delete_session = self.compile(delete(tables.sessions).where(self.is_session))

    @property
    def of_session(self) -> ColumnElement[bool]:
        """The condition that picks a session's messages."""
        return self.tables.messages.c.session_id == bindparam("key")

    @property
    def is_session(self) -> ColumnElement[bool]:
        """The condition that picks the session's own row."""
        return self.tables.sessions.c.session_id == bindparam("key")

    @property
    def clears_at_once(self) -> bool:
        """Whether ``clear`` is one statement, or needs a transaction."""
        return True

    def in_order(self, rows: Select[Any], *, newest_first: bool = False) -> Select[Any]:
        """Pick a session's rows in their order, in a way that does not walk the whole table."""
        messages = self.tables.messages
        order: ColumnElement[int] = messages.c.id if self.indexed else messages.c.id + 0
        return rows.where(self.of_session).order_by(order.desc() if newest_first else order)

    def compile(self, statement: Executable) -> Statement:
        """Compile a statement for the driver."""
        return Statement.compile(statement, self.dialect)

    # Values on their way to and from the driver ---------------------------------------------------

    def key(self, session_id: str) -> Any:
        """Return a session id as the driver binds it; ValueError if the column is too short."""
        if self.id_length is not None and len(session_id) > self.id_length:
            raise ValueError(
                f"The session id is longer than its column, which holds {self.id_length}."
            )
        return session_id

    def check_values(self, values: Sequence[Stored]) -> None:  # noqa: B027 - most take any
        """Raise EncodeError for a value that the server would not take."""

    def bind_micros(self, micros: int) -> Any:
        """Return microseconds since 1970 UTC as the driver binds a time."""
        return from_micros(micros)

    def batch_parts(self, values: Sequence[Stored]) -> list[Sequence[Stored]]:
        """Divide a batch among the statements that append it: most databases take one."""
        return [values]

    def run_read(self, statement: Statement, conn: Connection, **values: Any) -> Any:
        """Execute a statement that reads values; returns SQLAlchemy's result."""
        return statement.run(conn, **values)

    def fetch_rows(self, result: Any) -> list[Row]:
        """Return the rows of a statement that reads values."""
        return fetch(result)

    # Reading --------------------------------------------------------------------------------------

    def rows(self, conn: Connection, session_id: str) -> list[Row]:
        """Return all rows of a session, oldest first."""
        return self.fetch_rows(self.run_read(self._rows, conn, key=self.key(session_id)))

    def last(self, conn: Connection, session_id: str, count: int) -> list[Row]:
        """Return the latest rows of a session, oldest first."""
        found = self.run_read(self._last, conn, key=self.key(session_id), count=count)
        return self.fetch_rows(found)[::-1]

    def after(self, conn: Connection, session_id: str, row_id: int, count: int) -> list[Row]:
        """Return the next rows behind a row id, oldest first."""
        key = self.key(session_id)
        found = self.run_read(self._after, conn, key=key, row_id=row_id, count=count)
        return self.fetch_rows(found)

    def last_with_version(
        self, conn: Connection, session_id: str, count: int
    ) -> tuple[list[Row], Version]:
        """Return the latest rows, and the version that ``delete_at_version`` needs."""
        rows = self.last(conn, session_id, count)
        return rows, rows[-1][0] if rows else None

    def count(self, conn: Connection, session_id: str) -> int:
        """Count the rows of a session."""
        return int(self._count.run(conn, key=self.key(session_id)).scalar_one())

    # Writing --------------------------------------------------------------------------------------

    @abstractmethod
    def touch(self, conn: Connection, session_id: str) -> None:
        """Make the session where it is missing, and note that it changes."""

    @abstractmethod
    def append(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> None:
        """Add a batch at the end, and the session where it is missing."""

    @abstractmethod
    def replace(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> bool:
        """Put a batch in the place of all rows; False if another writer came between."""

    @abstractmethod
    def delete_at_version(
        self, conn: Connection, session_id: str, row_id: int, version: Version
    ) -> bool:
        """Delete a row of ``last_with_version``; False if the session has changed since."""

    def insert_many(
        self, conn: Connection, statement: Statement, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Insert rows, given in the order of the statement's names."""
        statement.run_many(conn, rows)

    def append_parts(
        self, conn: Connection, session_id: str, parts: Sequence[Sequence[Stored]]
    ) -> None:
        """Add a batch that takes several statements."""
        for part in parts:
            self.append(conn, session_id, part)

    def append_to_empty(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> bool:
        """Add a batch in a transaction; False if the session has other rows: then roll back.

        The append takes the lock of the session, so the rows that are counted then are all.
        """
        if values:
            self.append(conn, session_id, values)
        return self.count(conn, session_id) == len(values)

    def delete_rows(self, conn: Connection, session_id: str) -> None:
        """Remove all rows of a session."""
        self._delete_rows.run(conn, key=self.key(session_id))

    def delete_row(self, conn: Connection, session_id: str, row_id: int) -> bool:
        """Remove one row; False if it was not there."""
        found = self._delete_row.run(conn, key=self.key(session_id), row_id=row_id)
        return bool(found.rowcount)

    def clear(self, conn: Connection, session_id: str) -> None:
        """Remove all rows of a session and the session."""
        self.delete_rows(conn, session_id)
        self._delete_session.run(conn, key=self.key(session_id))

    # In transactions that keep other writers out --------------------------------------------------

    def lock(self, conn: Connection, session_id: str) -> bool:
        """Keep other writers out of a session until the transaction ends; False if not there."""
        return self._lock.run(conn, key=self.key(session_id)).first() is not None

    def pop_newest(self, conn: Connection, session_id: str) -> Row | None:
        """Delete and return the newest row."""
        rows = self.last(conn, session_id, 1) if self.lock(conn, session_id) else []
        if rows:
            self.delete_row(conn, session_id, rows[0][0])
        return rows[0] if rows else None

    def replace_locked(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> None:
        """Put a batch in the place of all rows."""
        self.touch(conn, session_id)
        self.delete_rows(conn, session_id)
        if values:
            self.append(conn, session_id, values)

    def splice(
        self,
        conn: Connection,
        session_id: str,
        expected: Sequence[Row],
        doomed: Sequence[int],
        values: Sequence[Stored],
    ) -> bool:
        """Remove rows and add a batch at the end; False if the latest rows are not the expected."""
        if not self.lock(conn, session_id):
            return False
        if self.last(conn, session_id, len(expected)) != list(expected):
            return False
        for row_id in doomed:
            self.delete_row(conn, session_id, row_id)
        if values:
            self.append(conn, session_id, values)
        else:
            self.touch(conn, session_id)
        return True
