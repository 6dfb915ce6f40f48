"""Store-wide work on SQLite."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import Connection, delete

from strongroom.sql.dialects.base.columns import StoreColumns
from strongroom.sql.dialects.base.store import StoreStatements
from strongroom.sql.rows import Change, NewRow, SessionTimes


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
