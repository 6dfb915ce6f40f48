"""The statements that list and count sessions."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    func,
    literal_column,
    or_,
    select,
)

from strongroom.sql.dialects.base.columns import StoreColumns
from strongroom.sql.rows import SessionRow
from strongroom.sql.times import to_utc


class ListingStatements:
    """The statements over the table of sessions."""

    def __init__(self, columns: StoreColumns) -> None:
        self.columns = columns

    def page(
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
        columns = self.columns
        name = columns.by_bytes(columns.sessions.c.session_id)
        page = self._sessions_where(
            columns.sessions.c.session_id,
            columns.within(columns.sessions.c.session_id, prefix),
            updated_before,
            updated_after,
        )
        if after is not None:
            page = page.where(name > columns.key(after))
        listed = page.order_by(name).limit(literal_column(str(limit))).subquery()
        count = (
            select(func.count())
            .where(columns.messages.c.session_id == listed.c.session_id)
            .select_from(columns.messages)
            .scalar_subquery()
        )
        statement = select(
            columns.name(listed.c.session_id), listed.c.created_at, listed.c.updated_at, count
        )
        statement = statement.order_by(columns.by_bytes(listed.c.session_id))
        return [self._session_row(row) for row in conn.execute(statement)]

    def walk(
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

        ``updated_before`` leaves in those whose time of update cannot be read.
        ``first``: the walk begins, with the session itself that it is to be after.
        """
        columns = self.columns
        name = columns.sessions.c.session_id
        condition = columns.below_end(name, prefix)
        if updated_before is not None:
            updated = columns.utc(columns.sessions.c.updated_at)
            old = updated < columns.bind_time(updated_before)
            condition = and_(condition, or_(old, updated.is_(None)))
        statement = self._sessions_where(columns.name(name), condition, None, None)
        if empty:
            rows = select(columns.messages.c.id).where(columns.messages.c.session_id == name)
            statement = statement.where(~rows.exists())
        start = name >= columns.key(after) if first else name > columns.key(after)
        statement = statement.where(start).order_by(name).limit(literal_column(str(limit)))
        return [self._session_row((*row, 0)) for row in conn.execute(statement)]

    def count(self, conn: Connection, prefix: str | None = None) -> int:
        """Count sessions."""
        sessions = self.columns.sessions
        statement = select(func.count()).select_from(sessions)
        statement = statement.where(self.columns.within(sessions.c.session_id, prefix))
        return int(conn.execute(statement).scalar_one())

    def exists(self, conn: Connection, session_id: str) -> bool:
        """Tell whether a session is there."""
        name = self.columns.sessions.c.session_id
        found = conn.execute(select(name).where(name == self.columns.key(session_id)))
        return found.first() is not None

    def not_updated_since(self, conn: Connection, session_id: str, before: dt.datetime) -> bool:
        """Tell whether a session is there, and has not been updated since."""
        stale = self.columns.stale(session_id, before)
        found = conn.execute(select(self.columns.sessions.c.session_id).where(stale))
        return found.first() is not None

    def _sessions_where(
        self,
        name: ColumnElement[Any],
        condition: ColumnElement[bool],
        updated_before: dt.datetime | None,
        updated_after: dt.datetime | None,
    ) -> Select[Any]:
        columns = self.columns
        sessions = columns.sessions.c
        updated = columns.utc(sessions.updated_at)
        statement = select(
            name,
            columns.utc(sessions.created_at).label("created_at"),
            updated.label("updated_at"),
        ).where(condition)
        if updated_before is not None:
            statement = statement.where(updated < columns.bind_time(updated_before))
        if updated_after is not None:
            statement = statement.where(updated > columns.bind_time(updated_after))
        return statement

    def _session_row(self, row: Any) -> SessionRow:
        return SessionRow(self.columns.text(row[0]), to_utc(row[1]), to_utc(row[2]), row[3])
