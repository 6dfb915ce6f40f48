"""The statements that find sessions which have no row in the table of sessions.

Foreign keys can be off, a writer of the database can remove a row, and the head of a ledger
outlives its session. So messages and heads are looked through too: messages from one session id to
the next one along the index, whatever number of rows each has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    LargeBinary,
    and_,
    column,
    func,
    literal,
    literal_column,
    select,
    table,
    true,
)

from strongroom.sql import raw_ids
from strongroom.sql.dialects.base.columns import StoreColumns
from strongroom.sql.rows import SessionRow


class UnregisteredStatements:
    """Reads the session ids of messages and heads whose session has no row of its own."""

    def __init__(self, columns: StoreColumns) -> None:
        self.columns = columns
        heads = columns.session.tables.heads
        self._heads = None
        if heads is not None:
            self._heads = table(
                heads.name, column("session_id"), column("head"), schema=heads.schema
            )

    # In the order of the column -------------------------------------------------------------------

    def headed(
        self,
        conn: Connection,
        after: str,
        prefix: str | None,
        limit: int,
        *,
        first: bool = False,
        every: bool = False,
    ) -> list[str]:
        """Return the next ids that a ledger has a head for, also for a session that was cleared.

        ``first``: the walk begins, with the id itself that it is to be after. ``every``: those too
        whose session has a row of its own.
        """
        if self._heads is None:
            return []
        name = self._heads.c.session_id
        picked = select(self.columns.name(name)).where(
            self._behind(name, after, prefix, first=first),
            true() if every else self._is_missing(name),
        )
        return self._ids(conn, picked.order_by(name), limit)

    def headless(
        self, conn: Connection, after: str, prefix: str | None, limit: int, *, first: bool = False
    ) -> list[str]:
        """Return the next ids that have messages, and no head either."""
        name = self._names(lambda name: self._behind(name, after, prefix, first=first)).c.name
        picked = select(self.columns.name(name)).where(name.is_not(None), self._is_missing(name))
        if self._heads is not None:
            picked = picked.where(~self._is_in(self._heads, name))
        return self._ids(conn, picked.order_by(name), limit)

    # In the order of bytes ------------------------------------------------------------------------

    def page(
        self,
        conn: Connection,
        *,
        after: str | None,
        upto: str | None,
        prefix: str | None,
        limit: int,
    ) -> list[SessionRow]:
        """Return the next of those that have rows, or of which the head says so, rows counted.

        In the order of the ids' bytes, behind ``after`` and not behind ``upto``.
        """

        def within(name: ColumnElement[Any]) -> ColumnElement[bool]:
            return self._between(name, after, upto, prefix)

        messages = self.columns.messages
        name = self._names(within if self.columns.is_bytewise else lambda _: true()).c.name
        of_name = messages.c.session_id == name
        rows = select(func.count()).select_from(messages).where(of_name).scalar_subquery()
        found = [self._page(conn, name, rows, name.is_not(None) & within(name), limit)]
        if self._heads is not None:
            name = self._heads.c.session_id
            lost = ~self._is_in(messages, name) & self._counts_rows(self._heads.c.head)
            found.append(self._page(conn, name, literal_column("0"), lost & within(name), limit))
        both = [SessionRow(*row) for part in found for row in part]
        return sorted(both, key=lambda row: raw_ids.order(row.session_id))[:limit]

    def _page(
        self,
        conn: Connection,
        name: ColumnElement[Any],
        rows: ColumnElement[Any],
        condition: ColumnElement[bool],
        limit: int,
    ) -> list[tuple[str, None, None, int]]:
        picked = select(self.columns.name(name), rows).where(condition, self._is_missing(name))
        picked = picked.order_by(self.columns.by_bytes(name)).limit(literal_column(str(limit)))
        return [(self.columns.text(row[0]), None, None, row[1]) for row in conn.execute(picked)]

    @staticmethod
    def _counts_rows(head: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that a head's count is not 0; a malformed head has none."""
        count = func.substr(head, literal_column("21"), literal_column("8"))
        return func.coalesce(count, literal(b"", LargeBinary)) != literal(bytes(8), LargeBinary)

    # Pieces ---------------------------------------------------------------------------------------

    def _names(self, condition: Callable[[ColumnElement[Any]], ColumnElement[bool]]) -> FromClause:
        """Return the distinct ids of messages as ``name``, NULL at the end."""
        name = self.columns.messages.c.session_id
        if not self.columns.steps_to_distinct:
            return select(name.label("name")).where(condition(name)).distinct().subquery("names")
        first = select(func.min(name).label("name")).where(condition(name))
        names = first.cte("names", recursive=True)
        following = select(func.min(name)).where(name > names.c.name, condition(name))
        step = select(following.scalar_subquery()).where(names.c.name.is_not(None))
        return names.union_all(step)

    def _behind(
        self, name: ColumnElement[Any], after: str, prefix: str | None, *, first: bool
    ) -> ColumnElement[bool]:
        key = self.columns.key(after)
        return and_(name >= key if first else name > key, self.columns.below_end(name, prefix))

    def _between(
        self, name: ColumnElement[Any], after: str | None, upto: str | None, prefix: str | None
    ) -> ColumnElement[bool]:
        columns, condition = self.columns, self.columns.within(name, prefix)
        if after is not None:
            condition = condition & (columns.by_bytes(name) > columns.key(after))
        if upto is not None:
            condition = condition & (columns.by_bytes(name) <= columns.key(upto))
        return condition

    def _is_missing(self, name: ColumnElement[Any]) -> ColumnElement[bool]:
        return ~self._is_in(self.columns.sessions, name)

    @staticmethod
    def _is_in(other: Any, name: ColumnElement[Any]) -> ColumnElement[bool]:
        found: ColumnElement[bool] = (
            select(other.c.session_id).where(other.c.session_id == name).correlate_except(other)
        ).exists()
        return found

    def _ids(self, conn: Connection, statement: Any, limit: int) -> list[str]:
        found = conn.execute(statement.limit(literal_column(str(limit))))
        return [self.columns.text(row[0]) for row in found]
