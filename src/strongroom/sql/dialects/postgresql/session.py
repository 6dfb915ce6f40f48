"""PostgreSQL, through asyncpg: one statement, one round trip an operation.

The statements rely on READ COMMITTED: a statement that waits for a row lock goes on with the row's
newest version, but with the snapshot from before it waited. So whatever deletes messages checks
that the session's own row is still the version (``xmin``) that this snapshot shows: all writers
of a session update that row first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Dialect,
    Index,
    Inspector,
    Select,
    String,
    Table,
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
from sqlalchemy import inspect as sql_inspect
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import DropIndex
from sqlalchemy.util import await_only

from strongroom.format.parts import parts
from strongroom.protocols import Stored
from strongroom.sql.dialects.base.session import Columns, Database, Row, index_of
from strongroom.sql.schema import CurrentTimestamp, Tables

_TRANSIENT = {
    "40001",  # serialization failure
    "40P01",  # deadlock detected
}

_PART_BYTES = 4 * 1024 * 1024
"""How much of a batch goes into one statement; the driver writes it out in one go."""

_CREATE_LOCK = 0x7374726F6E67726D
"""An advisory lock of our own: ``strongrm`` in ASCII."""


class PostgreSQL(Database):
    """Every operation is one statement, and its lock on the session's row comes first."""

    name = "postgresql"
    longest_id = 2600  # what an entry of a B-tree holds, and a little less

    _keyed_by_session = False
    """Whether the primary key begins with the session id, as on a partitioned table."""

    def __init__(self, tables: Tables, dialect: Dialect, *, indexed: bool) -> None:
        sessions, messages = tables.sessions, tables.messages
        version = cast(
            literal_column(f"{dialect.identifier_preparer.format_table(sessions)}.xmin"), String
        )
        seen = select(version.label("version")).where(sessions.c.session_id == bindparam("key"))
        self._seen = seen.scalar_subquery()
        super().__init__(tables, dialect, indexed=indexed)
        parent = upsert(sessions).values(session_id=bindparam("key"))
        touch = {"updated_at": CurrentTimestamp()}
        data = BYTEA() if tables.column_type == "binary" else Text()
        item = func.unnest(bindparam("data", type_=ARRAY(data))).table_valued(
            "value", with_ordinality="position", name="item", joins_implicitly=True
        )
        item = item.render_derived()

        touching = parent.on_conflict_do_update(index_elements=["session_id"], set_=touch)
        self._upsert = self.compile(touching)
        locked = touching.returning(sessions.c.session_id).cte("parent")
        # The rows come from the locked parent, so their ids are drawn under its lock.
        batch = (
            select(locked.c.session_id, item.c.value)
            .select_from(locked.join(item, true()))
            .order_by(item.c.position)
        )
        self._append = self.compile(
            insert(messages).inline().from_select(["session_id", "message_data"], batch)
        )

        # SQLAlchemy leaves schemas out below ON CONFLICT, so this table is named before it.
        before = seen.cte("before")
        same = version == select(before.c.version).scalar_subquery()
        unchanged = (
            parent.on_conflict_do_update(index_elements=["session_id"], set_=touch, where=same)
            .returning(sessions.c.session_id)
            .cte("parent")
        )
        gone = (
            delete(messages)
            .where(messages.c.session_id == unchanged.c.session_id)
            .where(self.of_session)
            .cte("gone")
        )
        batch = (
            select(unchanged.c.session_id, item.c.value)
            .select_from(unchanged.join(item, true()))
            .order_by(item.c.position)
        )
        added = insert(messages).inline().from_select(["session_id", "message_data"], batch)
        self._replace = self.compile(
            select(unchanged.c.session_id).add_cte(before, gone, added.cte("added"))
        )
        current = (
            select(sessions.c.session_id)
            .where(self.is_session, version == bindparam("version", type_=String()))
            .with_for_update()
            .cte("parent")
        )
        self._claim = self.compile(
            delete(messages)
            .where(messages.c.session_id == current.c.session_id)
            .where(self.of_session, messages.c.id == bindparam("row_id"))
        )

    def compile_reads(self, rows: Select[Any]) -> None:
        """Compile the statements that read a part of a session."""
        super().compile_reads(rows)
        tail = self.in_order(rows.add_columns(self._seen), newest_first=True)
        self._tail = self.compile(tail.limit(bindparam("count")))

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

    def begin(self, conn: Connection, *, writes: bool, single: bool) -> Connection:
        """Let a single statement be its own transaction, and fix the isolation of a longer one."""
        level = "AUTOCOMMIT" if single else "READ COMMITTED"
        return conn.execution_options(isolation_level=level)

    def is_stale(self, conn: Connection) -> bool:
        """Ask the driver whether it has seen the connection close."""
        driver: Any = conn.connection.driver_connection
        return bool(driver.is_closed())

    @classmethod
    def make_tables(cls, conn: Connection, tables: Tables) -> None:
        """Make missing tables while no other process does: IF NOT EXISTS alone may fail."""
        conn = conn.execution_options(isolation_level="READ COMMITTED")
        conn.exec_driver_sql("SELECT pg_advisory_xact_lock($1)", (_CREATE_LOCK,))
        super().make_tables(conn, tables)

    @classmethod
    def is_indexed(cls, found: Inspector, messages: Table) -> bool:
        """Tell whether the index is there, and is not the broken rest of one that failed."""
        if not super().is_indexed(found, messages):
            return False
        (index,) = messages.indexes
        return not cls._is_broken(found.bind, index)  # type: ignore[arg-type]  # a Connection, as inspect() was given one

    @classmethod
    def add_index(cls, conn: Connection, tables: Tables) -> None:
        """Add the index CONCURRENTLY, under a lock that is polled.

        Waiting for the lock in the server would hold a snapshot open, which CONCURRENTLY waits
        for: two processes would wait for each other.
        """
        conn = conn.execution_options(isolation_level="AUTOCOMMIT")
        while not conn.exec_driver_sql("SELECT pg_try_advisory_lock($1)", (_CREATE_LOCK,)).scalar():
            await_only(asyncio.sleep(0.2))
        try:
            index = index_of(tables)
            if cls._is_broken(conn, index):
                conn.execute(DropIndex(index))
            if not cls.is_indexed(sql_inspect(conn), tables.messages):
                # A partitioned table takes no index CONCURRENTLY.
                concurrently = "" if cls._is_partitioned(conn, tables.messages) else "CONCURRENTLY"
                prepare = conn.dialect.identifier_preparer
                conn.exec_driver_sql(
                    f"CREATE INDEX {concurrently} IF NOT EXISTS {prepare.format_index(index)} "
                    f"ON {prepare.format_table(tables.messages)} (session_id, id)"
                )
        finally:
            # A connection that was lost has lost its locks too.
            if not conn.invalidated:
                conn.exec_driver_sql("SELECT pg_advisory_unlock($1)", (_CREATE_LOCK,))

    @staticmethod
    def _is_broken(conn: Connection, index: Index) -> bool:
        prepare = conn.dialect.identifier_preparer
        schema = index.table.schema if index.table is not None else None
        name = f"{prepare.quote(schema)}." if schema else ""
        name += str(prepare.format_index(index))
        valid = conn.exec_driver_sql(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", (name,)
        ).scalar()
        return valid is False

    @staticmethod
    def _is_partitioned(conn: Connection, table: Table) -> bool:
        name = conn.dialect.identifier_preparer.format_table(table)
        kind = conn.exec_driver_sql(
            "SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass($1)", (str(name),)
        ).scalar()
        return bool(kind)

    @staticmethod
    def is_transient(error: DBAPIError) -> bool:
        """Tell a serialization failure and a deadlock, which roll the statement back."""
        return getattr(error.orig, "sqlstate", None) in _TRANSIENT

    def touch(self, conn: Connection, session_id: str) -> None:
        """Make the session where it is missing, lock its row and note that it changes."""
        self._upsert.run(conn, key=session_id)

    def parts(self, values: Sequence[Stored]) -> list[Sequence[Stored]]:
        """Divide what the driver would hold the event loop for while it writes it out."""
        return list(parts(values, _PART_BYTES))

    def append(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> None:
        """Add a batch."""
        self._append.run(conn, key=session_id, data=list(values))

    def replace(self, conn: Connection, session_id: str, values: Sequence[Stored]) -> bool:
        """Put a batch in the place of all rows, if no other writer came between."""
        found = self._replace.run(conn, key=session_id, data=list(values))
        return found.first() is not None

    def look(self, conn: Connection, columns: Columns) -> None:
        """See how the rows are keyed, and whether the foreign key takes a session's rows along."""
        super().look(conn, columns)
        messages = self.tables.messages
        found = sql_inspect(conn)
        primary = found.get_pk_constraint(messages.name, messages.schema)["constrained_columns"]
        if primary[:1] == ["session_id"]:
            self._keyed_by_session = True
            self.compile_reads(select(messages.c.id, messages.c.message_data))
        self.clears_at_once = any(
            key["constrained_columns"] == ["session_id"]
            and key["options"].get("ondelete") == "CASCADE"
            for key in found.get_foreign_keys(messages.name, messages.schema)
        )

    def clear(self, conn: Connection, session_id: str) -> None:
        """Remove the session; the foreign key takes the rows along, also those of a late append.

        A table made without it needs the lock first, and then a statement that sees them.
        """
        if not self.clears_at_once:
            self.lock(conn, session_id)
            self.delete_rows(conn, session_id)
        self._delete_session.run(conn, key=session_id)

    def tail(self, conn: Connection, session_id: str, count: int) -> tuple[list[Row], Any]:
        """Return the latest rows and the version of the session's row that goes with them."""
        found = self._tail.run(conn, key=session_id, count=count).fetchall()
        rows = [(row[0], row[1]) for row in reversed(found)]
        return rows, found[0][2] if found else None

    def claim(self, conn: Connection, session_id: str, row_id: int, version: Any) -> bool:
        """Delete a row while the session's row is the version that was seen."""
        claimed = self._claim.run(conn, key=session_id, row_id=row_id, version=version)
        return bool(claimed.rowcount)
