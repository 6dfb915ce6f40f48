"""Store-wide work on MySQL and MariaDB."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    delete,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.dialects.mysql import insert as upsert

from strongroom.protocols import Stored
from strongroom.sql import raw_ids
from strongroom.sql.dialects.base.columns import StoreColumns
from strongroom.sql.dialects.base.store import StoreStatements
from strongroom.sql.rows import Change, NewRow, SessionTimes

_ZONE: ColumnElement[Any] = literal_column("@@session.time_zone")
_UTC: ColumnElement[Any] = literal_column("'+00:00'")
_STATEMENT_ROWS = 100


class MySQLColumns(StoreColumns):
    """The columns' times are in the connection's time zone, and CONVERT_TZ takes them to UTC."""

    def utc(self, time: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a time in UTC; where the server lacks the zone's rules, as it is."""
        return case((_is_time(time), func.coalesce(func.convert_tz(time, _ZONE, _UTC), time)))

    def bind_time(self, time: dt.datetime) -> Any:
        """Return a time without its zone."""
        return time.replace(tzinfo=None)

    def key(self, session_id: str) -> Any:
        """Return a session id as the driver binds it; a column of bytes holds any."""
        if raw_ids.is_text(session_id):
            return super().key(session_id)
        return raw_ids.to_bytes(session_id)


def _is_time(time: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that a time is on a day of the calendar: servers can allow others."""
    return and_(
        func.year(time) >= literal_column("1"),
        func.dayofmonth(time).between(literal_column("1"), func.dayofmonth(func.last_day(time))),
    )


class MySQLStore(StoreStatements):
    """Rows are locked first and compared here; ``packet_size`` is the server's."""

    def __init__(self, columns: StoreColumns, packet_size: int) -> None:
        super().__init__(columns)
        tables = self.session.tables
        self._messages = self.session.dialect.identifier_preparer.format_table(tables.messages)
        self._packet = packet_size

    def compare_and_swap(self, conn: Connection, changes: Sequence[Change]) -> int:
        """Lock the rows that nobody else has, compare their bytes here, and replace them.

        Collations that end in _bin take trailing spaces for nothing, so the server does not
        compare. All goes by the primary key: rows that were locked by one index and are updated
        by another may still be waited for, which is a deadlock.
        """
        swapped = 0
        for session_id, group in groupby(changes, key=lambda change: change.session_id):
            for some in _statements(group, self._packet // 4):
                swapped += self._swap_rows(conn, session_id, some)
        return swapped

    def _swap_rows(self, conn: Connection, session_id: str, changes: Sequence[Change]) -> int:
        key = self.columns.key(session_id)
        marks = ", ".join(["%s"] * len(changes))
        found = conn.exec_driver_sql(
            f"SELECT id, message_data FROM {self._messages} FORCE INDEX (PRIMARY) "  # noqa: S608
            f"WHERE session_id = %s AND id IN ({marks}) FOR UPDATE SKIP LOCKED",
            (key, *(change.row_id for change in changes)),
        )
        present: dict[int, Stored] = {row[0]: row[1] for row in found}
        same = [change for change in changes if present.get(change.row_id) == change.old]
        if same:
            ids = [change.row_id for change in same]
            marks = ", ".join(["%s"] * len(same))
            conn.exec_driver_sql(
                f"UPDATE {self._messages} FORCE INDEX (PRIMARY) "  # noqa: S608
                f"SET message_data = ELT(FIELD(id, {marks}), {marks}) "
                f"WHERE session_id = %s AND id IN ({marks})",
                (*ids, *(change.new for change in same), key, *ids),
            )
        return len(same)

    def delete_session(self, conn: Connection, session_id: str) -> bool:
        """Remove a session, its row locked first as every writer does."""
        if not self.session.lock(conn, session_id):
            return False
        self.session.clear(conn, session_id)
        return True

    def delete_stale(
        self, conn: Connection, session_ids: Sequence[str], before: dt.datetime
    ) -> int:
        """Remove stale sessions, each looked at again under its lock."""
        deleted = 0
        for session_id in session_ids:
            stale = select(self.sessions.c.session_id).where(self.columns.stale(session_id, before))
            if conn.execute(stale.with_for_update()).first() is not None:
                of_session = self.messages.c.session_id == self.columns.key(session_id)
                conn.execute(delete(self.messages).where(of_session))
                deleted += self._delete_session_row(conn, session_id)
        return deleted

    def add_sessions(self, conn: Connection, rows: Sequence[SessionTimes]) -> None:
        """Add or update sessions."""
        local = self._local(conn, [time for row in rows for time in row[1:]])
        add = upsert(self.sessions)
        add = add.on_duplicate_key_update(
            updated_at=func.greatest(self.sessions.c.updated_at, add.inserted.updated_at)
        )
        conn.execute(
            add,
            [
                {
                    "session_id": self.columns.key(name),
                    "created_at": local[created],
                    "updated_at": local[updated],
                }
                for name, created, updated in rows
            ],
        )

    def add_rows(self, conn: Connection, rows: Sequence[NewRow]) -> None:
        """Add rows."""
        local = self._local(conn, [row.created_at for row in rows])
        conn.execute(
            insert(self.messages),
            [
                {
                    "session_id": self.columns.key(name),
                    "message_data": value,
                    "created_at": local[created],
                }
                for name, value, created in rows
            ],
        )

    def _local(
        self, conn: Connection, times: Iterable[dt.datetime | None]
    ) -> dict[dt.datetime | None, Any]:
        """Return times in the connection's zone, as the columns have them; None is now.

        Here, not in the insert: the drivers send many rows at once only if all is parameters.
        """
        distinct = [time for time in dict.fromkeys(times) if time is not None]
        moved = "CAST(COALESCE(CONVERT_TZ(%s, '+00:00', @@session.time_zone), %s) AS DATETIME(6))"
        naive = [time.astimezone(dt.UTC).replace(tzinfo=None) for time in distinct]
        found = conn.exec_driver_sql(
            "SELECT CURRENT_TIMESTAMP(6)" + f", {moved}" * len(distinct),
            tuple(time for time in naive for _ in range(2)),
        ).one()
        return {None: found[0], **dict(zip(distinct, found[1:], strict=True))}


def _statements(changes: Iterable[Change], most: int) -> Iterator[list[Change]]:
    """Divide changes among statements of so many bytes; a larger one stands alone."""
    some: list[Change] = []
    size = 0
    for change in changes:
        size += 2 * len(change.new)
        if some and (size > most or len(some) == _STATEMENT_ROWS):
            yield some
            some, size = [], 2 * len(change.new)
        some.append(change)
    if some:
        yield some
