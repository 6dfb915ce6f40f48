"""The statements over the rows of many sessions; the databases say what differs.

A walk goes over the messages by (session_id, id), in the order that the column itself has, so that
the index serves it. Each step is two statements that any planner runs along the index: the rest
of the session where the last step ended, and the sessions behind it.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, func, literal_column, select

from strongroom.sql.dialects.base.columns import StoreColumns
from strongroom.sql.dialects.base.listing import ListingStatements
from strongroom.sql.dialects.base.unregistered import UnregisteredStatements
from strongroom.sql.rows import (
    FIRST_ID,
    LAST_ID,
    Change,
    NewRow,
    RowPrefix,
    SessionsMovedError,
    SessionTimes,
    StoredRow,
)
from strongroom.sql.times import to_utc


class StoreStatements(ABC):
    """The statements of one database over many sessions of one pair of tables."""

    def __init__(self, columns: StoreColumns) -> None:
        self.columns = columns
        self.session = columns.session
        self.sessions = columns.sessions
        self.messages = columns.messages
        self.listing = ListingStatements(columns)
        self.unregistered = UnregisteredStatements(columns)

    # Writing --------------------------------------------------------------------------------------

    @abstractmethod
    def compare_and_swap(self, conn: Connection, changes: Sequence[Change]) -> int:
        """Replace the values that are still the old ones, byte for byte; returns how many.

        It never waits for another writer's row while it holds one: a row that is locked just now
        is left for later.
        """

    @abstractmethod
    def delete_session(self, conn: Connection, session_id: str) -> bool:
        """Remove a session and its rows; False if there was nothing to remove."""

    @abstractmethod
    def delete_stale(
        self, conn: Connection, session_ids: Sequence[str], before: dt.datetime
    ) -> int:
        """Remove those of the sessions that have still not been updated since; returns how many."""

    @abstractmethod
    def add_sessions(self, conn: Connection, rows: Sequence[SessionTimes]) -> None:
        """Add the sessions that are missing, created and updated then, and lock them all.

        A session that is there keeps its created_at; its updated_at is never lowered.
        """

    @abstractmethod
    def add_rows(self, conn: Connection, rows: Sequence[NewRow]) -> None:
        """Add rows in this order, under the locks that ``add_sessions`` took."""

    def extend(
        self, conn: Connection, expected: Mapping[str, int | None], rows: Sequence[NewRow]
    ) -> dict[str, int]:
        """Add rows at the end of sessions whose newest row is the expected one, or none.

        Sessions that ``expected`` does not name are not looked at first. Returns the newest row
        ids; raises SessionsMovedError if others are there, and the caller rolls back.
        """
        spans: dict[str, SessionTimes] = {}
        for session_id, _, created_at in rows:
            _, first, last = spans.get(session_id, (session_id, created_at, created_at))
            latest = None if last is None or created_at is None else max(last, created_at)
            spans[session_id] = (session_id, first, latest)
        self.add_sessions(conn, [spans[session_id] for session_id in sorted(spans)])
        newest = self.newest(conn, expected)
        moved = {name for name, row_id in expected.items() if newest.get(name) != row_id}
        if moved:
            raise SessionsMovedError(moved)
        self.add_rows(conn, rows)
        return self.newest(conn, spans)

    # Reading --------------------------------------------------------------------------------------

    def row_prefixes(
        self,
        conn: Connection,
        after: tuple[str, int],
        count: int,
        *,
        prefix: str | None = None,
        only: bool = False,
    ) -> list[RowPrefix]:
        """Return the next rows of a walk, without their values; ``only``: of the same session."""
        columns, messages = self.columns, self.messages.c
        session_id, row_id = after
        name = columns.name(messages.session_id)
        statement = select(name, messages.id, *columns.size_and_prefix())
        # The limit is spelled out, or PostgreSQL plans for one that it does not know.
        limited = statement.limit(literal_column(str(count)))
        found = self._part(conn, limited, session_id, row_id + 1, LAST_ID)
        if len(found) < count and not only:
            behind = (
                statement.where(messages.session_id > columns.key(session_id))
                .where(columns.below_end(messages.session_id, prefix))
                .order_by(messages.session_id, messages.id)
                .limit(literal_column(str(count - len(found))))
            )
            found += conn.execute(behind)
        return [
            RowPrefix(columns.text(name), row_id, size, columns.prefix(beginning))
            for name, row_id, size, beginning in found
        ]

    def rows(
        self, conn: Connection, first: tuple[str, int], last: tuple[str, int]
    ) -> list[StoredRow]:
        """Return the rows of a walk from one place to another, both included.

        There is no limit, so that a row which has come meanwhile does not push another one out.
        """
        columns, messages = self.columns, self.messages.c
        statement = select(
            columns.name(messages.session_id),
            *(messages.id, columns.data(), columns.utc(messages.created_at)),
        )
        same = first[0] == last[0]
        found = self._part(conn, statement, first[0], first[1], last[1] if same else LAST_ID)
        if not same:
            between = statement.where(
                messages.session_id > columns.key(first[0]),
                messages.session_id < columns.key(last[0]),
            ).order_by(messages.session_id, messages.id)
            found += conn.execute(between)
            found += self._part(conn, statement, last[0], FIRST_ID, last[1])
        return [
            StoredRow(columns.text(name), row_id, columns.stored(value), to_utc(created))
            for name, row_id, value, created in found
        ]

    def session_rows(
        self, conn: Connection, session_id: str, after: int, count: int
    ) -> list[StoredRow]:
        """Return the next rows of one session, without their times."""
        columns = self.columns
        statement = select(self.messages.c.id, columns.data()).limit(literal_column(str(count)))
        found = self._part(conn, statement, session_id, after + 1, LAST_ID)
        return [
            StoredRow(session_id, row_id, columns.stored(value), None) for row_id, value in found
        ]

    def count_rows(self, conn: Connection, prefix: str | None) -> int:
        """Count rows."""
        statement = select(func.count()).select_from(self.messages)
        statement = statement.where(self.columns.within(self.messages.c.session_id, prefix))
        return int(conn.execute(statement).scalar_one())

    def newest(self, conn: Connection, session_ids: Iterable[str]) -> dict[str, int]:
        """Return the newest row id of each session that has rows."""
        columns, sessions, messages = self.columns, self.sessions.c, self.messages.c
        newest = (
            select(func.max(messages.id))
            .where(messages.session_id == sessions.session_id)
            .scalar_subquery()
        )
        statement = select(columns.name(sessions.session_id), newest).where(
            sessions.session_id.in_([columns.key(session_id) for session_id in session_ids])
        )
        found = conn.execute(statement)
        return {columns.text(name): row_id for name, row_id in found if row_id is not None}

    def _part(
        self, conn: Connection, statement: Select[Any], session_id: str, first: int, last: int
    ) -> list[Any]:
        messages = self.messages.c
        order = messages.id if self.session.indexed else messages.id + literal_column("0")
        part = statement.where(
            messages.session_id == self.columns.key(session_id), messages.id.between(first, last)
        )
        return list(conn.execute(part.order_by(order)))

    def _delete_session_row(self, conn: Connection, session_id: str) -> bool:
        of_session = self.sessions.c.session_id == self.columns.key(session_id)
        return bool(conn.execute(delete(self.sessions).where(of_session)).rowcount)
