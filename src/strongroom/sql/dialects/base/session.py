"""What every database has to do; the other modules of this folder say how.

The methods are synchronous: they run inside SQLAlchemy's greenlet, one greenlet for a whole
operation, on SQL that was compiled once and on plain tuples. Rows are ``(id, value)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeAlias, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    Index,
    Inspector,
    Select,
    Table,
    bindparam,
    delete,
    select,
)
from sqlalchemy.exc import DBAPIError

from strongroom.protocols import Stored
from strongroom.sql.schema import Tables

Row: TypeAlias = tuple[int, Stored]
Columns: TypeAlias = Mapping[str, Mapping[str, Any]]
"""The columns that are there, by table and name, as SQLAlchemy's inspector describes them."""


@dataclass(frozen=True)
class Statement:
    """SQL of the driver's own dialect, the order of its parameters, and those with a value."""

    sql: str
    names: tuple[str, ...]
    constants: dict[str, Any]

    def run(self, conn: Connection, **values: Any) -> Any:
        """Execute with one value for each name; returns SQLAlchemy's result."""
        if self.constants:
            values |= self.constants
        return conn.exec_driver_sql(self.sql, tuple(map(values.__getitem__, self.names)))

    def run_many(self, conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute once for each row, given in the order of the names."""
        conn.exec_driver_sql(self.sql, list(rows))


_EPOCH = datetime(1970, 1, 1)
_NO_TIME = -(2**63)


class Database(ABC):
    """The statements of one database for one pair of tables.

    ``indexed`` says that the index on (session_id, id) is there; without it a statement must not
    tempt the planner to walk the whole table in the order of its ids.
    """

    name: ClassVar[str]

    longest_id: ClassVar[int | None] = None
    """How many bytes of UTF-8 a session id may have at most, whatever the column."""

    pops_at_once: ClassVar[bool] = False
    """Whether a pop is best done in one transaction, rather than read first and claimed then."""

    clears_at_once = True
    """Whether ``clear`` is one statement, or needs a transaction."""

    def __init__(self, tables: Tables, dialect: Dialect, *, indexed: bool) -> None:
        self.tables = tables
        self.dialect = dialect
        self.indexed = indexed
        self._id_length: int | None = None
        messages = tables.messages
        rows = select(messages.c.id, messages.c.message_data)
        self._rows = self.compile(rows.where(self.of_session).order_by(messages.c.id))
        self.compile_reads(rows)
        self._lock = self.compile(
            select(tables.sessions.c.session_id).where(self.is_session).with_for_update()
        )
        self._delete_rows = self.compile(delete(messages).where(self.of_session))
        self._delete_row = self.compile(
            delete(messages).where(self.of_session, messages.c.id == bindparam("row_id"))
        )
        self._delete_session = self.compile(delete(tables.sessions).where(self.is_session))

    def compile_reads(self, rows: Select[Any]) -> None:
        """Compile the statements that read a part of a session."""
        count: Any = bindparam("count")
        later = self.tables.messages.c.id > bindparam("row_id")
        self._last = self.compile(self.in_order(rows, newest_first=True).limit(count))
        self._after = self.compile(self.in_order(rows.where(later)).limit(count))

    def in_order(self, rows: Select[Any], *, newest_first: bool = False) -> Select[Any]:
        """Pick a session's rows in their order, in a way that does not walk the whole table."""
        messages = self.tables.messages
        order: ColumnElement[int] = messages.c.id if self.indexed else messages.c.id + 0
        return rows.where(self.of_session).order_by(order.desc() if newest_first else order)

    @property
    def of_session(self) -> ColumnElement[bool]:
        """The condition that picks a session's messages."""
        return self.tables.messages.c.session_id == bindparam("key")

    @property
    def is_session(self) -> ColumnElement[bool]:
        """The condition that picks the session's own row."""
        return self.tables.sessions.c.session_id == bindparam("key")

    def compile(self, statement: Executable) -> Statement:
        """Compile a statement for the driver, once."""
        compiled = cast("Any", statement).compile(dialect=self.dialect)
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        return Statement(str(compiled), tuple(compiled.positiontup or ()), constants)

    def key(self, session_id: str) -> Any:
        """Return a session id as the driver binds it; ValueError if the column is too short."""
        if self._id_length is not None and len(session_id) > self._id_length:
            raise ValueError(
                f"The session id is longer than its column, which holds {self._id_length}."
            )
        return session_id

    # How operations run -----------------------------------------------------------------------

    def begin(self, conn: Connection, *, writes: bool, single: bool) -> Connection:
        """Prepare a fresh connection for an operation; ``single``: it is a single statement."""
        return conn

    def push_in(self, conn: Connection) -> None:  # noqa: B027 - servers let writers in by turns
        """Get a writer in that others have kept out."""

    def is_stale(self, conn: Connection) -> bool:
        """Tell, without asking the server, whether the driver lost this connection."""
        return False

    @staticmethod
    @abstractmethod
    def is_transient(error: DBAPIError) -> bool:
        """Tell an error which proves that nothing was applied, and that may pass by itself."""

    @classmethod
    def make_tables(cls, conn: Connection, tables: Tables) -> None:
        """Make the tables that are missing, safely in many processes at once."""
        tables.metadata.create_all(conn)
        conn.commit()

    def look(self, conn: Connection, columns: Columns) -> None:
        """Look at the columns that are there; ConfigurationError if they would lose data."""
        lengths = (
            getattr(columns[table.name]["session_id"]["type"], "length", None)
            for table in (self.tables.sessions, self.tables.messages)
        )
        self._id_length = min((length for length in lengths if length), default=None)

    @classmethod
    def is_indexed(cls, found: Inspector, messages: Table) -> bool:
        """Tell whether an index, or the primary key, begins with (session_id, id)."""
        primary = found.get_pk_constraint(messages.name, messages.schema)["constrained_columns"]
        indexes: list[Sequence[Any]] = [
            index["column_names"] for index in found.get_indexes(messages.name, messages.schema)
        ]
        return any(list(columns[:2]) == ["session_id", "id"] for columns in (primary, *indexes))

    @classmethod
    @abstractmethod
    def add_index(cls, conn: Connection, tables: Tables) -> None:
        """Add the index on (session_id, id), in the way that blocks writers least."""

    # Operations -------------------------------------------------------------------------------

    def read(self, statement: Statement, conn: Connection, **values: Any) -> Any:
        """Execute a statement that reads values; returns SQLAlchemy's result."""
        return statement.run(conn, **values)

    def rows(self, conn: Connection, session_id: str) -> list[Row]:
        """Return all rows of a session, oldest first."""
        return self.pairs(self.read(self._rows, conn, key=self.key(session_id)))

    def last(self, conn: Connection, session_id: str, count: int) -> list[Row]:
        """Return the latest rows of a session, oldest first."""
        found = self.read(self._last, conn, key=self.key(session_id), count=count)
        return self.pairs(found)[::-1]

    def after(self, conn: Connection, session_id: str, row_id: int, count: int) -> list[Row]:
        """Return the next rows behind a row id, oldest first."""
        key = self.key(session_id)
        return self.pairs(self.read(self._after, conn, key=key, row_id=row_id, count=count))

    def pairs(self, result: Any) -> list[Row]:
        """Return the rows of a statement that reads values."""
        return fetched(result)

    @abstractmethod
    def touch(self, conn: Connection, session_id: str) -> None:
        """Make the session where it is missing, and note that it changes."""

    def delete_rows(self, conn: Connection, session_id: str) -> None:
        """Remove all rows of a session."""
        self._delete_rows.run(conn, key=self.key(session_id))

    def delete_row(self, conn: Connection, session_id: str, row_id: int) -> bool:
        """Remove one row; False if it was not there."""
        found = self._delete_row.run(conn, key=self.key(session_id), row_id=row_id)
        return bool(found.rowcount)

    def check_values(self, values: Sequence[Stored]) -> None:  # noqa: B027 - most take any
        """Raise EncodeError for a value that the server would not take."""

    def insert_many(
        self, conn: Connection, statement: Statement, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Insert rows, given in the order of the statement's names."""
        statement.run_many(conn, rows)

    def to_micros(self, created_at: Any) -> int:
        """Return a row's time as microseconds since 1970 UTC; what is no time is before all."""
        if isinstance(created_at, str):
            try:
                created_at = datetime.fromisoformat(created_at)
            except ValueError:
                return _NO_TIME
            if created_at.tzinfo is not None:
                return _NO_TIME
        if not isinstance(created_at, datetime):
            return _NO_TIME
        return (created_at.replace(tzinfo=None) - _EPOCH) // timedelta(microseconds=1)

    def from_micros(self, micros: int) -> Any:
        """Return microseconds since 1970 UTC as the driver binds a time."""
        return _EPOCH + timedelta(microseconds=micros)

    def parts(self, values: Sequence[Stored]) -> list[Sequence[Stored]]:
        """Divide a batch among the statements that append it: most take one."""
        return [values]

    @abstractmethod
    def append(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> None:
        """Add a batch at the end, and the session where it is missing."""

    @abstractmethod
    def replace(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> bool:
        """Put a batch in the place of all rows; False if another writer came between."""

    def clear(self, conn: Connection, session_id: str) -> None:
        """Remove all rows of a session and the session."""
        self.delete_rows(conn, session_id)
        self._delete_session.run(conn, key=self.key(session_id))

    def tail(self, conn: Connection, session_id: str, count: int) -> tuple[list[Row], Any]:
        """Return the latest rows and a version: ``claim`` takes a row only while it holds."""
        rows = self.last(conn, session_id, count)
        return rows, rows[-1][0] if rows else None

    @abstractmethod
    def claim(self, conn: Connection, session_id: str, row_id: int, version: Any) -> bool:
        """Delete a row that ``tail`` returned; False if the session has changed since."""

    def pop_newest(self, conn: Connection, session_id: str) -> Row | None:
        """Delete and return the newest row, in a transaction that keeps other writers out."""
        rows = self.last(conn, session_id, 1) if self.lock(conn, session_id) else []
        if rows:
            self.delete_row(conn, session_id, rows[0][0])
        return rows[0] if rows else None

    def replace_locked(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> None:
        """Put a batch in the place of all rows, in a transaction that keeps other writers out."""
        self.touch(conn, session_id)
        self.delete_rows(conn, session_id)
        if values:
            self.append(conn, session_id, values)

    def lock(self, conn: Connection, session_id: str) -> bool:
        """Keep other writers out of a session until the transaction ends; False if not there."""
        return self._lock.run(conn, key=self.key(session_id)).first() is not None

    def swap(
        self, conn: Connection, session_id: str, row_ids: Iterable[int], values: Sequence[Stored]
    ) -> None:
        """Remove rows and add a batch at the end, under the session's lock."""
        for row_id in row_ids:
            self.delete_row(conn, session_id, row_id)
        if values:
            self.append(conn, session_id, values)
        else:
            self.touch(conn, session_id)


def fetched(result: Any) -> list[tuple[Any, ...]]:
    """Return the driver's own rows: SQLAlchemy's would only be taken apart again."""
    rows = result.cursor.fetchall()
    result.close()
    if rows and type(rows[0]) is tuple:
        return list(rows)
    return list(map(tuple, rows))


def index_of(tables: Tables) -> Index:
    """Return the index that ``is_indexed`` looks for."""
    (index,) = tables.messages.indexes
    return index
