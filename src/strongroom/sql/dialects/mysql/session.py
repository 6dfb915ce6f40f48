"""The rows of one session on MySQL and MariaDB: the session's row is locked first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, bindparam, insert
from sqlalchemy.dialects.mysql import insert as upsert

from strongroom.errors import EncodeError
from strongroom.protocols import Stored
from strongroom.sql.dialects.base.session import SessionStatements, Version
from strongroom.sql.dialects.mysql.ddl import MySQLFacts
from strongroom.sql.schema import CurrentTimestamp, Tables
from strongroom.sql.statement import Statement

_ESCAPED = (b"\\", b"'", b'"', b"\0", b"\n", b"\r", b"\x1a")
_STATEMENT_BYTES = 4096
"""More than an insert takes beside the value: its own text and the session id, escaped."""
_JOINED_BYTES = 1024 * 1024
"""More than the drivers join into one insert of many rows."""


class MySQLSession(SessionStatements):
    """Every change is a transaction that locks the session's row first."""

    def __init__(self, tables: Tables, dialect: Dialect, facts: MySQLFacts) -> None:
        super().__init__(tables, dialect, facts)
        self._bytes_as_ids = facts.bytes_as_ids
        self._packet = facts.packet_size
        self._upsert = self.compile(
            upsert(tables.sessions)
            .values(session_id=bindparam("key"))
            .on_duplicate_key_update(updated_at=CurrentTimestamp())
        )
        self._insert = self.compile(
            insert(tables.messages)
            .inline()
            .values(session_id=bindparam("key"), message_data=bindparam("value"))
        )

    def key(self, session_id: str) -> Any:
        """Return the bytes of a session id, which the column compares as such."""
        if not self._bytes_as_ids:
            return super().key(session_id)
        data = session_id.encode()
        if self.id_length is not None and len(data) > self.id_length:
            raise ValueError(
                f"The session id is longer than its column, which holds {self.id_length} bytes."
            )
        return data

    def touch(self, conn: Connection, session_id: str) -> None:
        """Make the session where it is missing, lock its row and note that it changes."""
        self._upsert.run(conn, key=self.key(session_id))

    def append(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> None:
        """Add a batch."""
        self.check_values(values)
        key = self.key(session_id)
        self._upsert.run(conn, key=key)
        self.insert_many(conn, self._insert, [(key, value) for value in values])

    def replace(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> bool:
        """Put a batch in the place of all rows."""
        self.check_values(values)
        key = self.key(session_id)
        self._upsert.run(conn, key=key)
        self._delete_rows.run(conn, key=key)
        if values:
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

    def delete_at_version(
        self, conn: Connection, session_id: str, row_id: int, version: Version
    ) -> bool:
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
