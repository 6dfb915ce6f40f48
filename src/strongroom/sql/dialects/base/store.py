"""What store-wide work asks of every database; the other modules of this folder say how.

A walk goes over the messages by (session_id, id), in the order that the column itself has, so that
the index serves it. Each step is two statements that any planner runs along the index: the rest
of the session where the last step ended, and the sessions behind it. Values go in and come out as
the driver has them; session ids are str outside of this folder, and times are aware, in UTC.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    column,
    delete,
    func,
    literal_column,
    select,
    table,
    true,
)

from strongroom.protocols import Stored
from strongroom.sql.dialects.base.session import Database

FIRST_ID = -(2**63)
_LAST_ID = 2**63 - 1

HEAD_SIZE = 384
"""As many characters as the text forms of a ledger's link and of the longest header have."""


class Head(NamedTuple):
    """A row without its value: where it is, its size in bytes, and how its value begins."""

    session_id: str
    row_id: int
    size: int
    head: Stored


class StoredRow(NamedTuple):
    """A row as it lies in the table."""

    session_id: str
    row_id: int
    value: Stored
    created_at: dt.datetime | None


class SessionRow(NamedTuple):
    """A session and how many rows it has."""

    session_id: str
    created_at: dt.datetime | None
    updated_at: dt.datetime | None
    items: int


class Change(NamedTuple):
    """A row's value, and what is to take its place."""

    session_id: str
    row_id: int
    old: Stored
    new: Stored


class NewRow(NamedTuple):
    """A row to be added; without a time it was created now."""

    session_id: str
    value: Stored
    created_at: dt.datetime | None


class MovedError(Exception):
    """The newest rows of these sessions are not the ones that the writer had seen."""

    def __init__(self, session_ids: set[str]) -> None:
        super().__init__()
        self.session_ids = session_ids


class Many(ABC):
    """The statements over many sessions of one database and one pair of tables."""

    def __init__(self, database: Database) -> None:
        self.database = database
        tables = database.tables
        self.is_text = tables.column_type == "text"
        # Without types, so that values are bound and returned as they are.
        self.sessions = table(
            tables.sessions.name,
            *(column(name) for name in ("session_id", "created_at", "updated_at")),
            schema=tables.sessions.schema,
        )
        self.messages = table(
            tables.messages.name,
            *(column(name) for name in ("id", "session_id", "message_data", "created_at")),
            schema=tables.messages.schema,
        )

    # How this database differs ------------------------------------------------------------------

    @abstractmethod
    def utc(self, time: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a column's time in UTC: CURRENT_TIMESTAMP has written it in the zone in use."""

    def bind_time(self, time: dt.datetime) -> Any:
        """Return a time as what ``utc`` gives is compared with."""
        return time

    def by_bytes(self, session_id: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return session ids so that they compare by their bytes."""
        return session_id

    def size_and_head(self) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """Return a value's size in bytes and its beginning."""
        data = self.messages.c.message_data
        return func.octet_length(data), func.substr(data, 1, literal_column(str(HEAD_SIZE)))

    def data(self) -> ColumnElement[Any]:
        """Return the values' column as it is read."""
        return self.messages.c.message_data

    def stored(self, raw: Any) -> Stored:
        """Return what the column holds for a value that was read."""
        value: Stored = raw
        return value

    def head(self, raw: Any) -> Stored:
        """Return the beginning of what the column holds."""
        value: Stored = raw
        return value

    def start(self, prefix: str | None) -> tuple[str, int]:
        """Return a place before the first row of a walk."""
        return prefix or "", FIRST_ID

    @abstractmethod
    def swap(self, conn: Connection, changes: Sequence[Change]) -> int:
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
    def add_sessions(
        self, conn: Connection, rows: Sequence[tuple[str, dt.datetime | None, dt.datetime | None]]
    ) -> None:
        """Add what is missing of sessions, created and updated then, and lock them all.

        A session that is there keeps its created_at; its updated_at is never lowered.
        """

    @abstractmethod
    def add_rows(self, conn: Connection, rows: Sequence[NewRow]) -> None:
        """Add rows in this order, under the locks that ``add_sessions`` took."""

    # What is the same everywhere ----------------------------------------------------------------

    def key(self, session_id: str) -> Any:
        """Return a session id as the driver binds it."""
        return self.database.key(session_id)

    def within(self, session_id: ColumnElement[Any], prefix: str | None) -> ColumnElement[bool]:
        """Return the condition that a session id begins with a prefix, byte for byte.

        A range, as LIKE has wildcards, and on some databases ignores case.
        """
        if not prefix:
            return true()
        return and_(
            self.by_bytes(session_id) >= self.key(prefix), self.below_end(session_id, prefix)
        )

    def below_end(self, session_id: ColumnElement[Any], prefix: str | None) -> ColumnElement[bool]:
        """Return what is left of ``within`` for a walk that began at ``start``.

        With two lower bounds the planner might begin each step at the lower one of them.
        """
        end = prefix_end(prefix) if prefix else None
        return true() if end is None else self.by_bytes(session_id) < self.key(end)

    def session_page(
        self,
        conn: Connection,
        *,
        after: str | None,
        prefix: str | None,
        updated_before: dt.datetime | None,
        updated_after: dt.datetime | None,
        limit: int,
    ) -> list[SessionRow]:
        """Return the next sessions in the order of their ids' bytes, their rows counted."""
        name = self.by_bytes(self.sessions.c.session_id)
        page = self._sessions_where(
            self.within(self.sessions.c.session_id, prefix), updated_before, updated_after
        )
        if after is not None:
            page = page.where(name > self.key(after))
        listed = page.order_by(name).limit(literal_column(str(limit))).subquery()
        count = (
            select(func.count())
            .where(self.messages.c.session_id == listed.c.session_id)
            .select_from(self.messages)
            .scalar_subquery()
        )
        statement = select(listed, count).order_by(self.by_bytes(listed.c.session_id))
        return [self._session_row(row) for row in conn.execute(statement)]

    def session_walk(
        self,
        conn: Connection,
        after: str,
        prefix: str | None,
        limit: int,
        *,
        first: bool = False,
        updated_before: dt.datetime | None = None,
        empty: bool = False,
    ) -> list[SessionRow]:
        """Return the next sessions, or ``empty`` ones, in the order of the index, uncounted.

        ``first``: the walk begins, with the session itself that it is to be after.
        """
        name = self.sessions.c.session_id
        statement = self._sessions_where(self.below_end(name, prefix), updated_before, None)
        if empty:
            rows = select(self.messages.c.id).where(self.messages.c.session_id == name)
            statement = statement.where(~rows.exists())
        start = name >= self.key(after) if first else name > self.key(after)
        statement = statement.where(start).order_by(name).limit(literal_column(str(limit)))
        return [self._session_row((*row, 0)) for row in conn.execute(statement)]

    def heads(
        self,
        conn: Connection,
        after: tuple[str, int],
        count: int,
        *,
        prefix: str | None = None,
        only: bool = False,
    ) -> list[Head]:
        """Return the next rows of a walk, without their values; ``only``: of the same session."""
        messages = self.messages.c
        session_id, row_id = after
        statement = select(messages.session_id, messages.id, *self.size_and_head())
        # The limit is spelled out, or PostgreSQL plans for one that it does not know.
        limited = statement.limit(literal_column(str(count)))
        found = self._part(conn, limited, session_id, row_id + 1, _LAST_ID)
        if len(found) < count and not only:
            behind = (
                statement.where(messages.session_id > self.key(session_id))
                .where(self.below_end(messages.session_id, prefix))
                .order_by(messages.session_id, messages.id)
                .limit(literal_column(str(count - len(found))))
            )
            found += conn.execute(behind)
        return [
            Head(self._text(name), row_id, size, self.head(head))
            for name, row_id, size, head in found
        ]

    def rows(
        self, conn: Connection, first: tuple[str, int], last: tuple[str, int]
    ) -> list[StoredRow]:
        """Return the rows of a walk from one place to another, both included.

        There is no limit, so that a row which has come meanwhile does not push another one out.
        """
        messages = self.messages.c
        statement = select(
            messages.session_id, messages.id, self.data(), self.utc(messages.created_at)
        )
        same = first[0] == last[0]
        found = self._part(conn, statement, first[0], first[1], last[1] if same else _LAST_ID)
        if not same:
            between = statement.where(
                messages.session_id > self.key(first[0]), messages.session_id < self.key(last[0])
            ).order_by(messages.session_id, messages.id)
            found += conn.execute(between)
            found += self._part(conn, statement, last[0], FIRST_ID, last[1])
        return [
            StoredRow(self._text(name), row_id, self.stored(value), moment(created))
            for name, row_id, value, created in found
        ]

    def session_rows(
        self, conn: Connection, session_id: str, after: int, count: int
    ) -> list[StoredRow]:
        """Return the next rows of one session."""
        messages = self.messages.c
        statement = select(messages.id, self.data()).limit(literal_column(str(count)))
        found = self._part(conn, statement, session_id, after + 1, _LAST_ID)
        return [StoredRow(session_id, row_id, self.stored(value), None) for row_id, value in found]

    def count_rows(self, conn: Connection, prefix: str | None) -> int:
        """Count rows."""
        statement = select(func.count()).select_from(self.messages)
        statement = statement.where(self.within(self.messages.c.session_id, prefix))
        return int(conn.execute(statement).scalar_one())

    def count_sessions(self, conn: Connection, prefix: str | None = None) -> int:
        """Count sessions."""
        statement = select(func.count()).select_from(self.sessions)
        statement = statement.where(self.within(self.sessions.c.session_id, prefix))
        return int(conn.execute(statement).scalar_one())

    def ids_without_session(self, conn: Connection, after: str, limit: int) -> list[str]:
        """Return the next ids that a ledger has a head for, and whose session is not there."""
        heads = self.database.tables.heads
        if heads is None:
            return []
        headed = table(heads.name, column("session_id"), schema=heads.schema)
        name, session_id = headed.c.session_id, self.sessions.c.session_id
        gone = ~select(session_id).where(session_id == name).exists()
        statement = select(name).where(name > self.key(after), gone).order_by(name)
        found = conn.execute(statement.limit(literal_column(str(limit))))
        return [self._text(row[0]) for row in found]

    def newest(self, conn: Connection, session_ids: Iterable[str]) -> dict[str, int]:
        """Return the newest row id of each session that has rows."""
        sessions, messages = self.sessions.c, self.messages.c
        newest = (
            select(func.max(messages.id))
            .where(messages.session_id == sessions.session_id)
            .scalar_subquery()
        )
        statement = select(sessions.session_id, newest).where(
            sessions.session_id.in_([self.key(session_id) for session_id in session_ids])
        )
        found = conn.execute(statement)
        return {self._text(name): row_id for name, row_id in found if row_id is not None}

    def extend(
        self, conn: Connection, expected: Mapping[str, int | None], rows: Sequence[NewRow]
    ) -> dict[str, int]:
        """Add rows at the end of sessions whose newest row is the expected one, or none.

        Sessions that ``expected`` does not name are not looked at first. Returns the newest row
        ids; raises MovedError for what is not as expected, and the caller rolls back.
        """
        spans: dict[str, tuple[str, dt.datetime | None, dt.datetime | None]] = {}
        for session_id, _, created_at in rows:
            _, first, last = spans.get(session_id, (session_id, created_at, created_at))
            times = (last, created_at)
            spans[session_id] = (session_id, first, None if None in times else max(times))  # type: ignore[type-var]
        self.add_sessions(conn, [spans[session_id] for session_id in sorted(spans)])
        newest = self.newest(conn, expected)
        moved = {name for name, row_id in expected.items() if newest.get(name) != row_id}
        if moved:
            raise MovedError(moved)
        self.add_rows(conn, rows)
        return self.newest(conn, spans)

    def exists(self, conn: Connection, session_id: str) -> bool:
        """Tell whether a session is there."""
        name = self.sessions.c.session_id
        found = conn.execute(select(name).where(name == self.key(session_id)))
        return found.first() is not None

    def not_updated_since(self, conn: Connection, session_id: str, before: dt.datetime) -> bool:
        """Tell whether a session is there, and has not been updated since."""
        stale = select(self.sessions.c.session_id).where(self.stale(session_id, before))
        return conn.execute(stale).first() is not None

    def stale(self, session_id: str, before: dt.datetime) -> ColumnElement[bool]:
        """Return the condition that picks a session's own row if it has not been updated since."""
        return and_(
            self.sessions.c.session_id == self.key(session_id),
            self.utc(self.sessions.c.updated_at) < self.bind_time(before),
        )

    def count_of(self, conn: Connection, session_id: str) -> int:
        """Count the rows of one session."""
        statement = select(func.count()).select_from(self.messages)
        found = conn.execute(statement.where(self.messages.c.session_id == self.key(session_id)))
        return int(found.scalar_one())

    def _sessions_where(
        self,
        condition: ColumnElement[bool],
        updated_before: dt.datetime | None,
        updated_after: dt.datetime | None,
    ) -> Select[Any]:
        sessions = self.sessions.c
        updated = self.utc(sessions.updated_at)
        statement = select(
            sessions.session_id,
            self.utc(sessions.created_at).label("created_at"),
            updated.label("updated_at"),
        ).where(condition)
        if updated_before is not None:
            statement = statement.where(updated < self.bind_time(updated_before))
        if updated_after is not None:
            statement = statement.where(updated > self.bind_time(updated_after))
        return statement

    def _part(
        self, conn: Connection, statement: Select[Any], session_id: str, first: int, last: int
    ) -> list[Any]:
        messages = self.messages.c
        order = messages.id if self.database.indexed else messages.id + literal_column("0")
        part = statement.where(
            messages.session_id == self.key(session_id), messages.id.between(first, last)
        )
        return list(conn.execute(part.order_by(order)))

    def _delete_session_row(self, conn: Connection, session_id: str) -> bool:
        gone = delete(self.sessions).where(self.sessions.c.session_id == self.key(session_id))
        return bool(conn.execute(gone).rowcount)

    def _session_row(self, row: Any) -> SessionRow:
        return SessionRow(self._text(row[0]), moment(row[1]), moment(row[2]), row[3])

    @staticmethod
    def _text(session_id: str | bytes) -> str:
        return session_id.decode() if isinstance(session_id, bytes) else session_id


def prefix_end(prefix: str) -> str | None:
    """Return the least text above all that begin with a prefix; None if there is none above."""
    while prefix:
        point = ord(prefix[-1]) + 1
        if point == 0xD800:
            point = 0xE000  # between them are surrogates, which are no characters
        if point <= 0x10FFFF:
            return prefix[:-1] + chr(point)
        prefix = prefix[:-1]
    return None


def moment(value: object) -> dt.datetime | None:
    """Return a time that a driver returned, in UTC; None for what is no time."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, dt.datetime):
        return None
    return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
