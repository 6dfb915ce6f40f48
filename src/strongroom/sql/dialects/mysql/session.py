"""MySQL and MariaDB, through aiomysql or asyncmy: the session's row is locked first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Dialect, bindparam, insert
from sqlalchemy import inspect as sql_inspect
from sqlalchemy.dialects.mysql import insert as upsert
from sqlalchemy.exc import DBAPIError

from strongroom.errors import ConfigurationError, ConflictError, EncodeError
from strongroom.protocols import Stored
from strongroom.sql.dialects.base.session import Columns, Database, Statement, index_of
from strongroom.sql.schema import SESSION_ID_BYTES, CurrentTimestamp, Tables

_TRANSIENT = {
    1020,  # the row has changed since the snapshot (MariaDB's snapshot isolation)
    1205,  # lock wait timeout
    1213,  # deadlock
}
_EXACT_COLLATIONS = {"utf8mb4_0900_bin", "utf8mb4_nopad_bin"}
_LARGE_TEXTS = ("LONGTEXT", "MEDIUMTEXT")
_LARGE_BLOBS = ("LONGBLOB", "MEDIUMBLOB")
_ESCAPED = (b"\\", b"'", b'"', b"\0", b"\n", b"\r", b"\x1a")
_STATEMENT_BYTES = 4096
"""More than an insert takes beside the value: its own text and the session id, escaped."""
_JOINED_BYTES = 1024 * 1024
"""More than the drivers join into one insert of many rows."""


class MySQL(Database):
    """Transactions at READ COMMITTED: no gap locks, and no snapshot from before a wait."""

    name = "mysql"
    longest_id = SESSION_ID_BYTES

    def __init__(self, tables: Tables, dialect: Dialect, *, indexed: bool) -> None:
        super().__init__(tables, dialect, indexed=indexed)
        sessions, messages = tables.sessions, tables.messages
        self._upsert = self.compile(
            upsert(sessions)
            .values(session_id=bindparam("key"))
            .on_duplicate_key_update(updated_at=CurrentTimestamp())
        )
        self._insert = self.compile(
            insert(messages)
            .inline()
            .values(session_id=bindparam("key"), message_data=bindparam("value"))
        )
        self._packet = 0
        self._bytes_as_keys = True

    def key(self, session_id: str) -> Any:
        """Return the bytes of a session id, which the column compares as such."""
        if not self._bytes_as_keys:
            return super().key(session_id)
        data = session_id.encode()
        if self._id_length is not None and len(data) > self._id_length:
            raise ValueError(
                f"The session id is longer than its column, which holds {self._id_length} bytes."
            )
        return data

    def look(self, conn: Connection, columns: Columns) -> None:
        """Refuse columns that confuse ids or cut values, and note the server's packet size."""
        super().look(conn, columns)
        for table in (self.tables.sessions, self.tables.messages):
            kind = columns[table.name]["session_id"]["type"]
            collation = getattr(kind, "collation", None)
            if "BINARY" in str(kind).upper():
                continue
            if collation not in _EXACT_COLLATIONS:
                raise ConfigurationError(
                    f"The column {table.fullname}.session_id is of type {kind}, collation "
                    f"{collation}, which takes different session ids for one: make it "
                    f"VARBINARY(1020)."
                )
            self._bytes_as_keys = False
        kind = columns[self.tables.messages.name]["message_data"]["type"]
        is_text = self.tables.column_type == "text"
        if not str(kind).upper().startswith(_LARGE_TEXTS if is_text else _LARGE_BLOBS):
            raise ConfigurationError(
                f"The column {self.tables.messages.fullname}.message_data is of type {kind}, "
                f"which long values do not fit: make it {'LONGTEXT' if is_text else 'LONGBLOB'}."
            )
        collation = getattr(kind, "collation", None)
        if is_text and not (
            str(collation).startswith("utf8mb4") and str(collation).endswith("_bin")
        ):
            raise ConfigurationError(
                f"The column {self.tables.messages.fullname}.message_data has the collation "
                f"{collation}, which takes different values for one: make it utf8mb4_bin."
            )
        found = conn.exec_driver_sql("SELECT @@max_allowed_packet").scalar()
        self._packet = int(found or 0)

    @classmethod
    def make_tables(cls, conn: Connection, tables: Tables) -> None:
        """Make missing tables while no other process does."""
        with _lock(conn):
            super().make_tables(conn, tables)

    @classmethod
    def add_index(cls, conn: Connection, tables: Tables) -> None:
        """Add the index in place, while writers go on."""
        with _lock(conn):
            if not cls.is_indexed(sql_inspect(conn), tables.messages):
                prepare = conn.dialect.identifier_preparer
                conn.exec_driver_sql(
                    f"ALTER TABLE {prepare.format_table(tables.messages)} ADD INDEX "
                    f"{prepare.format_index(index_of(tables))} (session_id, id), "
                    f"ALGORITHM=INPLACE, LOCK=NONE"
                )

    def begin(self, conn: Connection, *, writes: bool, single: bool) -> Connection:
        """Fix the isolation of the transaction, and open it where the driver would not."""
        if writes:
            conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            driver: Any = conn.connection.driver_connection
            if driver.get_autocommit():
                conn.exec_driver_sql("START TRANSACTION")
        return conn

    def is_stale(self, conn: Connection) -> bool:
        """Ask aiomysql whether the server hung up; asyncmy does not tell."""
        driver: Any = conn.connection.driver_connection
        reader = getattr(driver, "_reader", None)
        return reader is not None and (reader.at_eof() or reader.exception() is not None)

    @staticmethod
    def is_transient(error: DBAPIError) -> bool:
        """Tell deadlocks and lock waits; the whole transaction is then rolled back."""
        arguments: Sequence[Any] = getattr(error.orig, "args", ())
        return bool(arguments) and arguments[0] in _TRANSIENT

    def touch(self, conn: Connection, session_id: str) -> None:
        """Make the session where it is missing, lock its row and note that it changes."""
        self._upsert.run(conn, key=self.key(session_id))

    def append(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> None:
        """Add a batch."""
        self.check_values(values)
        self.touch(conn, session_id)
        key = self.key(session_id)
        self.insert_many(conn, self._insert, [(key, value) for value in values])

    def replace(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> bool:
        """Put a batch in the place of all rows."""
        self.check_values(values)
        self.touch(conn, session_id)
        self.delete_rows(conn, session_id)
        if values:
            key = self.key(session_id)
            self.insert_many(conn, self._insert, [(key, value) for value in values])
        return True

    def insert_many(
        self, conn: Connection, statement: Statement, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Insert rows, each by itself where the server takes less than the drivers join."""
        if self._packet >= _JOINED_BYTES:
            statement.run_many(conn, rows)
            return
        for row in rows:
            statement.run_many(conn, [row])

    def clear(self, conn: Connection, session_id: str) -> None:
        """Remove all rows and the session, its row locked first as every writer does."""
        if self.lock(conn, session_id):
            super().clear(conn, session_id)

    def claim(self, conn: Connection, session_id: str, row_id: int, version: Any) -> bool:
        """Delete a row if the newest one is still the one that was seen, under the lock."""
        if not self.lock(conn, session_id):
            return False
        newest = self.last(conn, session_id, 1)
        if not newest or newest[0][0] != version:
            return False
        return self.delete_row(conn, session_id, row_id)

    def check_values(self, values: Sequence[Stored]) -> None:
        """Refuse a value that the server would answer by hanging up."""
        room = self._packet - _STATEMENT_BYTES
        for value in values:
            if 4 * len(value) <= room:
                continue
            data = value.encode() if isinstance(value, str) else value
            size = len(data) + sum(map(data.count, _ESCAPED))
            if size > room:
                raise EncodeError(
                    f"The item takes {size} bytes in a statement, and the server's "
                    f"max_allowed_packet allows {room}: raise max_allowed_packet, or store large "
                    f"items elsewhere."
                )


@contextmanager
def _lock(conn: Connection) -> Iterator[None]:
    """Keep other processes from changing the tables; MySQL's DDL commits by itself."""
    name = ("strongroom: change tables",)
    if conn.exec_driver_sql("SELECT GET_LOCK(%s, 60)", name).scalar() != 1:
        raise ConflictError("Another process kept changing tables for 60 seconds: try again.")
    try:
        yield
    finally:
        # A connection that was lost has lost its locks too.
        if not conn.invalidated:
            conn.exec_driver_sql("SELECT RELEASE_LOCK(%s)", name)
