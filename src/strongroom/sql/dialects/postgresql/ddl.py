"""Making tables on PostgreSQL, and looking at them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sqlalchemy import Connection, Index, Inspector, Table
from sqlalchemy import inspect as sql_inspect
from sqlalchemy.schema import DropIndex
from sqlalchemy.util import await_only

from strongroom.sql.dialects.base.ddl import Columns, TableTools
from strongroom.sql.dialects.base.facts import TableFacts
from strongroom.sql.schema import Tables

_CREATE_LOCK = 0x7374726F6E67726D
"""An advisory lock of our own: ``strongrm`` in ASCII."""


@dataclass(frozen=True, kw_only=True)
class PostgreSQLFacts(TableFacts):
    """How the rows are keyed, and whether the foreign key takes a session's rows along.

    ``keyed_by_session``: the primary key begins with the session id, as on a partitioned table.
    """

    keyed_by_session: bool
    cascades: bool


class PostgreSQLTableTools(TableTools):
    """Changes tables under an advisory lock."""

    def facts(self, found: Inspector, tables: Tables, columns: Columns) -> PostgreSQLFacts:
        """Return the facts about the tables."""
        messages = tables.messages
        primary = found.get_pk_constraint(messages.name, messages.schema)["constrained_columns"]
        cascades = any(
            key["constrained_columns"] == ["session_id"]
            and key["options"].get("ondelete") == "CASCADE"
            for key in found.get_foreign_keys(messages.name, messages.schema)
        )
        return PostgreSQLFacts(
            indexed=self.is_indexed(found, messages),
            session_id_length=self.session_id_length(tables, columns),
            keyed_by_session=primary[:1] == ["session_id"],
            cascades=cascades,
        )

    def create_tables(self, conn: Connection, tables: Tables) -> None:
        """Make missing tables while no other process does: IF NOT EXISTS alone may fail."""
        conn = conn.execution_options(isolation_level="READ COMMITTED")
        conn.exec_driver_sql("SELECT pg_advisory_xact_lock($1)", (_CREATE_LOCK,))
        super().create_tables(conn, tables)

    def is_indexed(self, found: Inspector, messages: Table) -> bool:
        """Tell whether the index is there, and is not the broken rest of one that failed."""
        if not super().is_indexed(found, messages):
            return False
        (index,) = messages.indexes
        return not _is_broken(found.bind, index)  # type: ignore[arg-type]  # a Connection, as inspect() was given one

    def add_index(self, conn: Connection, tables: Tables) -> None:
        """Add the index CONCURRENTLY, under a lock that is polled.

        Waiting for the lock in the server would hold a snapshot open, which CONCURRENTLY waits
        for: two processes would wait for each other.
        """
        conn = conn.execution_options(isolation_level="AUTOCOMMIT")
        while not conn.exec_driver_sql("SELECT pg_try_advisory_lock($1)", (_CREATE_LOCK,)).scalar():
            await_only(asyncio.sleep(0.2))
        try:
            if _is_broken(conn, tables.index):
                conn.execute(DropIndex(tables.index))
            if not self.is_indexed(sql_inspect(conn), tables.messages):
                # A partitioned table takes no index CONCURRENTLY.
                concurrently = "" if _is_partitioned(conn, tables.messages) else "CONCURRENTLY"
                prepare = conn.dialect.identifier_preparer
                conn.exec_driver_sql(
                    f"CREATE INDEX {concurrently} IF NOT EXISTS "
                    f"{prepare.format_index(tables.index)} "
                    f"ON {prepare.format_table(tables.messages)} (session_id, id)"
                )
        finally:
            # A connection that was lost has lost its locks too.
            if not conn.invalidated:
                conn.exec_driver_sql("SELECT pg_advisory_unlock($1)", (_CREATE_LOCK,))


def _is_broken(conn: Connection, index: Index) -> bool:
    prepare = conn.dialect.identifier_preparer
    schema = index.table.schema if index.table is not None else None
    name = f"{prepare.quote(schema)}." if schema else ""
    name += str(prepare.format_index(index))
    valid = conn.exec_driver_sql(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", (name,)
    ).scalar()
    return valid is False


def _is_partitioned(conn: Connection, table: Table) -> bool:
    name = conn.dialect.identifier_preparer.format_table(table)
    kind = conn.exec_driver_sql(
        "SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass($1)", (str(name),)
    ).scalar()
    return bool(kind)
