"""Store-wide work on PostgreSQL: a statement for a whole batch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    cast,
    collate,
    delete,
    func,
    literal_column,
    not_,
)

from strongroom.sql.dialects.base.columns import StoreColumns
from strongroom.sql.dialects.base.store import StoreStatements
from strongroom.sql.rows import FIRST_ID, Change, NewRow, SessionTimes

_FIRST_TIME = "TIMESTAMP WITH TIME ZONE '0001-01-01 00:00:00+00'"
_LAST_TIME = "TIMESTAMP WITH TIME ZONE '9999-12-31 23:59:59.999999+00'"


class PostgreSQLColumns(StoreColumns):
    """The columns' times are in the connection's time zone; a cast takes them to UTC."""

    is_bytewise = False
    steps_to_distinct = True

    def utc(self, time: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a time with its zone, if it is in the years 1 to 9999.

        The infinities are the driver's first and last moment. Others are first held against the
        calendar in the zone of the column, or the cast could leave the server's own calendar.
        """
        aware = cast(time, TIMESTAMP(timezone=True))
        near = time.between(
            literal_column("TIMESTAMP '0001-12-30 00:00:00 BC'"),
            literal_column("TIMESTAMP '10000-01-02 00:00:00'"),
        )
        within = case(
            (near, aware.between(literal_column(_FIRST_TIME), literal_column(_LAST_TIME))),
            else_=not_(func.isfinite(time)),
        )
        return case((within, aware))

    def bind_time(self, time: dt.datetime) -> Any:
        """Return a typed parameter."""
        return bindparam(None, time, type_=TIMESTAMP(timezone=True))

    def by_bytes(self, session_id: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return session ids in the collation that compares bytes."""
        return collate(session_id, "C")

    def within(self, session_id: ColumnElement[Any], prefix: str | None) -> ColumnElement[bool]:
        """Return the range, which is whole for a walk too."""
        return self.below_end(session_id, prefix)

    def below_end(self, session_id: ColumnElement[Any], prefix: str | None) -> ColumnElement[bool]:
        """Return the whole range: a walk goes by the column's own collation."""
        upper = super().below_end(session_id, prefix)
        return and_(self.by_bytes(session_id) >= prefix, upper) if prefix else upper

    def start(self, prefix: str | None) -> tuple[str, int]:
        """Return a place before all rows: the column's collation may sort prefixes apart."""
        return "", FIRST_ID


class PostgreSQLStore(StoreStatements):
    """Whole batches go as arrays."""

    def __init__(self, columns: StoreColumns) -> None:
        super().__init__(columns)
        prepare = columns.session.dialect.identifier_preparer
        sessions = prepare.format_table(columns.session.tables.sessions)
        messages = prepare.format_table(columns.session.tables.messages)
        data = "text" if columns.is_text else "bytea"
        # A clear deletes a session's rows one after the other. Waiting for one of them while
        # others are ours would be a deadlock.
        self._compare_and_swap = (
            f"WITH free AS (SELECT m.session_id, m.id, c.new FROM {messages} AS m "  # noqa: S608
            f"JOIN unnest($1::text[], $2::bigint[], $3::{data}[], $4::{data}[]) "
            f"AS c (session_id, id, old, new) ON m.session_id = c.session_id AND m.id = c.id "
            f"WHERE m.message_data = c.old FOR NO KEY UPDATE OF m SKIP LOCKED) "
            f"UPDATE {messages} AS m SET message_data = free.new FROM free "
            f"WHERE m.session_id = free.session_id AND m.id = free.id"
        )
        time = "COALESCE({}, CURRENT_TIMESTAMP)::timestamp"
        self._add_sessions = (
            f"INSERT INTO {sessions} AS s (session_id, created_at, updated_at) "  # noqa: S608
            f"SELECT n.name, {time.format('n.created')}, {time.format('n.updated')} "
            f"FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) "
            f"AS n (name, created, updated) ON CONFLICT (session_id) DO UPDATE "
            f"SET updated_at = GREATEST(s.updated_at, excluded.updated_at)"
        )
        self._add_rows = (
            f"INSERT INTO {messages} (session_id, message_data, created_at) "  # noqa: S608
            f"SELECT n.name, n.value, {time.format('n.created')} "
            f"FROM unnest($1::text[], $2::{data}[], $3::timestamptz[]) "
            f"WITH ORDINALITY AS n (name, value, created, position) ORDER BY n.position"
        )

    def compare_and_swap(self, conn: Connection, changes: Sequence[Change]) -> int:
        """Replace values by one statement that skips locked rows."""
        columns = tuple(map(list, zip(*changes, strict=True)))
        return conn.exec_driver_sql(self._compare_and_swap, columns).rowcount

    def delete_session(self, conn: Connection, session_id: str) -> bool:
        """Remove a session; the foreign key takes the rows along."""
        return self._delete_session_row(conn, session_id)

    def delete_stale(
        self, conn: Connection, session_ids: Sequence[str], before: dt.datetime
    ) -> int:
        """Remove stale sessions; a row that another writer had is looked at again."""
        sessions = self.sessions.c
        stale = delete(self.sessions).where(
            sessions.session_id.in_(session_ids),
            self.columns.utc(sessions.updated_at) < self.columns.bind_time(before),
        )
        return conn.execute(stale).rowcount

    def add_sessions(self, conn: Connection, rows: Sequence[SessionTimes]) -> None:
        """Add or update sessions."""
        conn.exec_driver_sql(self._add_sessions, tuple(map(list, zip(*rows, strict=True))))

    def add_rows(self, conn: Connection, rows: Sequence[NewRow]) -> None:
        """Add rows."""
        conn.exec_driver_sql(self._add_rows, tuple(map(list, zip(*rows, strict=True))))
