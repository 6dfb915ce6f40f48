"""How store-wide statements read and compare the columns; the databases say what differs.

Values go in and come out as the driver has them; session ids are str outside of the statements,
and times are aware, in UTC.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, and_, column, func, literal_column, table, true

from strongroom.protocols import Stored
from strongroom.sql import raw_ids
from strongroom.sql.dialects.base.session import SessionStatements
from strongroom.sql.prefixes import prefix_end
from strongroom.sql.rows import FIRST_ID, PREFIX_SIZE


class StoreColumns(ABC):
    """The columns of a pair of tables, without types: values are bound and returned as they are.

    ``is_bytewise``: the columns of session ids sort by bytes. ``steps_to_distinct``: distinct ids
    are found by a recursive statement, as the planner does not skip along the index by itself.
    """

    is_bytewise: ClassVar[bool] = True
    steps_to_distinct: ClassVar[bool] = False

    def __init__(self, session: SessionStatements) -> None:
        tables = session.tables
        self.session = session
        self.is_text = tables.column_type == "text"
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

    # Times ----------------------------------------------------------------------------------------

    @abstractmethod
    def utc(self, time: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a column's time in UTC: CURRENT_TIMESTAMP has written it in the zone in use.

        NULL where the column holds no time, or one that Python does not have.
        """

    def bind_time(self, time: dt.datetime) -> Any:
        """Return a time as it is compared with ``utc``."""
        return time

    # Values ---------------------------------------------------------------------------------------

    def data(self) -> ColumnElement[Any]:
        """Return the values' column as it is read."""
        return self.messages.c.message_data

    def size_and_prefix(self) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """Return a value's size in bytes and its beginning."""
        data = self.messages.c.message_data
        return func.octet_length(data), func.substr(data, 1, literal_column(str(PREFIX_SIZE)))

    def stored(self, raw: Any) -> Stored:
        """Return a value that was read as the column holds it."""
        value: Stored = raw
        return value

    def prefix(self, raw: Any) -> Stored:
        """Return the beginning of a value that was read as the column holds it."""
        value: Stored = raw
        return value

    # Session ids ----------------------------------------------------------------------------------

    def key(self, session_id: str) -> Any:
        """Return a session id as the driver binds it, or as an expression."""
        return self.session.key(session_id)

    def name(self, session_id: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a column of session ids as it is read."""
        return session_id

    def text(self, session_id: str | bytes) -> str:
        """Return a session id that the driver returned for ``name``."""
        return raw_ids.of_text(session_id) if isinstance(session_id, bytes) else session_id

    def by_bytes(self, session_id: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return session ids so that they compare by their bytes."""
        return session_id

    def start(self, prefix: str | None) -> tuple[str, int]:
        """Return a place before the first row of a walk."""
        return prefix or "", FIRST_ID

    def within(self, session_id: ColumnElement[Any], prefix: str | None) -> ColumnElement[bool]:
        """Return the condition that a session id begins with a prefix, byte for byte."""
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

    def stale(self, session_id: str, before: dt.datetime) -> ColumnElement[bool]:
        """Return the condition that picks a session's own row if it has not been updated since."""
        return and_(
            self.sessions.c.session_id == self.key(session_id),
            self.utc(self.sessions.c.updated_at) < self.bind_time(before),
        )
