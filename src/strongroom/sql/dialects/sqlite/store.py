"""Store-wide work on SQLite."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    case,
    cast,
    delete,
    func,
    literal_column,
)

from strongroom.protocols import Stored
from strongroom.sql.dialects.base.columns import StoreColumns
from strongroom.sql.dialects.base.store import StoreStatements
from strongroom.sql.rows import PREFIX_SIZE, Change, NewRow, SessionTimes


class SQLiteColumns(StoreColumns):
    """Values are read as blobs: a text that is not UTF-8 fails in the driver."""

    def utc(self, time: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the text of a time, always with microseconds; SQLite's clock is in UTC."""
        zeros = case(
            (
                func.instr(time, literal_column("'.'")) > literal_column("0"),
                literal_column("'000000'"),
            ),
            else_=literal_column("'.000000'"),
        )
        return func.substr(time.op("||")(zeros), literal_column("1"), literal_column("26"))

    def bind_time(self, time: dt.datetime) -> Any:
        """Return the text of a time, with microseconds."""
        return f"{time.replace(tzinfo=None).isoformat(' ', 'microseconds')}"

    def data(self) -> ColumnElement[Any]:
        """Return the value's bytes."""
        return cast(self.messages.c.message_data, LargeBinary)

    def size_and_prefix(self) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """Return size and beginning of the value's bytes."""
        head = func.substr(self.data(), 1, literal_column(str(PREFIX_SIZE)))
        return func.length(self.data()), head

    def stored(self, raw: Any) -> Stored:
        """Return text from a text column, unless it is no text."""
        data = bytes(raw)
        try:
            return data.decode() if self.is_text else data
        except UnicodeDecodeError:
            return data

    def prefix(self, raw: Any) -> Stored:
        """Return text from a text column; its last character may have been cut."""
        data = bytes(raw)
        return data.decode(errors="replace") if self.is_text else data


class SQLiteStore(StoreStatements):
    """Values are compared as blobs, as they are read."""

    def __init__(self, columns: StoreColumns) -> None:
        super().__init__(columns)
        prepare = columns.session.dialect.identifier_preparer
        sessions = prepare.format_table(columns.session.tables.sessions)
        messages = prepare.format_table(columns.session.tables.messages)
        self._compare_and_swap = (
            f"UPDATE {messages} SET message_data = ? "  # noqa: S608
            f"WHERE session_id = ? AND id = ? AND CAST(message_data AS BLOB) = ?"
        )
        now = "COALESCE(?, CURRENT_TIMESTAMP)"
        self._add_sessions = (
            f"INSERT INTO {sessions} (session_id, created_at, updated_at) "  # noqa: S608
            f"VALUES (?, {now}, {now}) ON CONFLICT (session_id) DO UPDATE "
            f"SET updated_at = MAX(updated_at, excluded.updated_at)"
        )
        self._add_rows = (
            f"INSERT INTO {messages} (session_id, message_data, created_at) VALUES (?, ?, {now})"  # noqa: S608
        )

    def compare_and_swap(self, conn: Connection, changes: Sequence[Change]) -> int:
        """Replace values in one short transaction."""
        rows = [
            (
                new,
                self.columns.key(session_id),
                row_id,
                old.encode() if isinstance(old, str) else old,
            )
            for session_id, row_id, old, new in changes
        ]
        return conn.exec_driver_sql(self._compare_and_swap, rows).rowcount

    def delete_session(self, conn: Connection, session_id: str) -> bool:
        """Remove a session and its rows, also where the session's own row is missing."""
        rows = delete(self.messages).where(
            self.messages.c.session_id == self.columns.key(session_id)
        )
        gone = bool(conn.execute(rows).rowcount)
        return self._delete_session_row(conn, session_id) or gone

    def delete_stale(
        self, conn: Connection, session_ids: Sequence[str], before: dt.datetime
    ) -> int:
        """Remove stale sessions; the first statement writes, and so takes the lock."""
        deleted = 0
        for session_id in session_ids:
            stale = self.columns.stale(session_id, before)
            is_stale = self.sessions.select().where(stale).exists()
            conn.execute(
                delete(self.messages).where(
                    self.messages.c.session_id == self.columns.key(session_id), is_stale
                )
            )
            deleted += conn.execute(delete(self.sessions).where(stale)).rowcount
        return deleted

    def add_sessions(self, conn: Connection, rows: Sequence[SessionTimes]) -> None:
        """Add or update sessions."""
        conn.exec_driver_sql(
            self._add_sessions,
            [
                (self.columns.key(name), _text(created), _text(updated))
                for name, created, updated in rows
            ],
        )

    def add_rows(self, conn: Connection, rows: Sequence[NewRow]) -> None:
        """Add rows."""
        conn.exec_driver_sql(
            self._add_rows, [(self.columns.key(row[0]), row[1], _text(row[2])) for row in rows]
        )


def _text(time: dt.datetime | None) -> str | None:
    """Return a time as CURRENT_TIMESTAMP writes it, with microseconds if it has any."""
    return None if time is None else time.astimezone(dt.UTC).replace(tzinfo=None).isoformat(" ")
