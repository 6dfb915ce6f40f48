"""The rows of one session on PostgreSQL: one statement, one round trip an operation.

The statements rely on READ COMMITTED: a statement that waits for a row lock goes on with the row's
newest version, but with the snapshot from before it waited. So every statement that deletes
messages checks that the session's own row is still the version (``xmin``) that this snapshot
shows: all writers of a session update that row first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Dialect,
    Select,
    String,
    Text,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.dialects.postgresql import insert as upsert

from strongroom.format.parts import parts
from strongroom.protocols import Stored
from strongroom.sql.dialects.base.session import SessionStatements, Version
from strongroom.sql.dialects.postgresql.ddl import PostgreSQLFacts
from strongroom.sql.rows import Row
from strongroom.sql.schema import CurrentTimestamp, Tables
from strongroom.sql.statement import Statement

_PART_BYTES = 4 * 1024 * 1024
"""How much of a batch goes into one statement; the driver writes it out in one go."""
_TOUCH = {"updated_at": CurrentTimestamp()}


class PostgreSQLSession(SessionStatements):
    """Every operation is one statement, and its lock on the session's row comes first."""

    def __init__(self, tables: Tables, dialect: Dialect, facts: PostgreSQLFacts) -> None:
        self._cascades = facts.cascades
        self._keyed_by_session = facts.keyed_by_session
        super().__init__(tables, dialect, facts)
        messages = tables.messages
        self._version = cast(
            literal_column(f"{dialect.identifier_preparer.format_table(tables.sessions)}.xmin"),
            String,
        )
        self._seen = select(self._version.label("version")).where(self.is_session)
        rows = select(messages.c.id, messages.c.message_data, self._seen.scalar_subquery())
        tail = self.in_order(rows, newest_first=True)
        self._tail = self.compile(tail.limit(bindparam("count")))
        parent = upsert(tables.sessions).values(session_id=bindparam("key"))
        touching = parent.on_conflict_do_update(index_elements=["session_id"], set_=_TOUCH)
        self._upsert = self.compile(touching)
        self._append = self._compile_append(touching)
        self._replace = self._compile_replace(parent)
        self._delete_unchanged = self._compile_delete_unchanged()

    def _compile_append(self, touching: Any) -> Statement:
        locked = touching.returning(self.tables.sessions.c.session_id).cte("parent")
        return self.compile(self._insert_behind(locked))

    def _compile_replace(self, parent: Any) -> Statement:
        # SQLAlchemy leaves schemas out below ON CONFLICT, so this table is named before it.
        before = self._seen.cte("before")
        same = self._version == select(before.c.version).scalar_subquery()
        unchanged = (
            parent.on_conflict_do_update(index_elements=["session_id"], set_=_TOUCH, where=same)
            .returning(self.tables.sessions.c.session_id)
            .cte("parent")
        )
        gone = (
            delete(self.tables.messages)
            .where(self.tables.messages.c.session_id == unchanged.c.session_id)
            .where(self.of_session)
            .cte("gone")
        )
        added = self._insert_behind(unchanged)
        return self.compile(
            select(unchanged.c.session_id).add_cte(before, gone, added.cte("added"))
        )

    def _compile_delete_unchanged(self) -> Statement:
        sessions, messages = self.tables.sessions, self.tables.messages
        current = (
            select(sessions.c.session_id)
            .where(self.is_session, self._version == bindparam("version", type_=String()))
            .with_for_update()
            .cte("parent")
        )
        return self.compile(
            delete(messages)
            .where(messages.c.session_id == current.c.session_id)
            .where(self.of_session, messages.c.id == bindparam("row_id"))
        )

    def _insert_behind(self, locked: Any) -> Any:
        """Insert the batch: it comes from the locked parent, and draws its ids under that lock."""
        data = BYTEA() if self.tables.column_type == "binary" else Text()
        item = func.unnest(bindparam("data", type_=ARRAY(data))).table_valued(
            "value", with_ordinality="position", name="item", joins_implicitly=True
        )
        item = item.render_derived()
        batch = (
            select(locked.c.session_id, item.c.value)
            .select_from(locked.join(item, true()))
            .order_by(item.c.position)
        )
        messages = self.tables.messages
        return insert(messages).inline().from_select(["session_id", "message_data"], batch)

    def in_order(self, rows: Select[Any], *, newest_first: bool = False) -> Select[Any]:
        """Pick a session's rows so that only the index on (session_id, id) gives their order.

        With an equality, the planner takes the primary key for a session that has many of the
        table's rows, and walks over all that others have written since. A partitioned table needs
        the equality, and has no index on the id alone.
        """
        if not self.indexed or self._keyed_by_session:
            return super().in_order(rows, newest_first=newest_first)
        name, number = self.tables.messages.c.session_id, self.tables.messages.c.id
        order = (name.desc(), number.desc()) if newest_first else (name, number)
        return rows.where(name >= bindparam("key"), name <= bindparam("key")).order_by(*order)

    @property
    def clears_at_once(self) -> bool:
        """True if the foreign key takes a session's rows along."""
        return self._cascades

    def touch(self, conn: Connection, session_id: str) -> None:
        """Make the session where it is missing, lock its row and note that it changes."""
        self._upsert.run(conn, key=session_id)

    def batch_parts(self, values: Sequence[Stored]) -> list[Sequence[Stored]]:
        """Divide a batch that the driver would hold the event loop for while it writes it out."""
        return list(parts(values, _PART_BYTES))

    def append(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> None:
        """Add a batch."""
        self._append.run(conn, key=session_id, data=list(values))

    def replace(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> bool:
        """Put a batch in the place of all rows, if no other writer came between."""
        found = self._replace.run(conn, key=session_id, data=list(values))
        return found.first() is not None

    def clear(self, conn: Connection, session_id: str) -> None:
        """Remove the session; the foreign key takes the rows along, also those of a late append.

        A table made without it needs the lock first, and then a statement that sees them.
        """
        if not self._cascades:
            self.lock(conn, session_id)
            self.delete_rows(conn, session_id)
        self._delete_session.run(conn, key=session_id)

    def last_with_version(
        self, conn: Connection, session_id: str, count: int
    ) -> tuple[list[Row], Version]:
        """Return the latest rows and the version of the session's row that goes with them."""
        found = self._tail.run(conn, key=session_id, count=count).fetchall()
        rows = [(row[0], row[1]) for row in reversed(found)]
        return rows, found[0][2] if found else None

    def delete_at_version(
        self, conn: Connection, session_id: str, row_id: int, version: Version
    ) -> bool:
        """Delete a row while the session's row is the version that was seen."""
        deleted = self._delete_unchanged.run(conn, key=session_id, row_id=row_id, version=version)
        return bool(deleted.rowcount)
