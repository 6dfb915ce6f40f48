"""Making tables on SQLite."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Inspector, Table
from sqlalchemy.schema import CreateIndex, CreateTable

from strongroom.errors import ConfigurationError
from strongroom.sql.dialects.base.ddl import Columns, TableTools
from strongroom.sql.dialects.base.facts import TableFacts
from strongroom.sql.schema import Tables


class SQLiteTableTools(TableTools):
    """Changes tables under the write lock."""

    def create_tables(self, conn: Connection, tables: Tables) -> None:
        """Make missing tables; a file that this creates gets WAL."""
        pages: Any = conn.exec_driver_sql("PRAGMA page_count").scalar()
        if pages == 0:
            # Readers and a writer work side by side then.
            conn.exec_driver_sql("PRAGMA journal_mode = WAL")
        driver: Any = conn.connection.driver_connection
        if not driver.in_transaction:
            conn.exec_driver_sql("BEGIN IMMEDIATE")
        super().create_tables(conn, tables)

    def add_index(self, conn: Connection, tables: Tables) -> None:
        """Add the index; SQLite keeps other writers waiting meanwhile."""
        tables.index.create(conn, checkfirst=True)
        conn.commit()

    def facts(self, found: Inspector, tables: Tables, columns: Columns) -> TableFacts:
        """Return the facts; ConfigurationError for a collation that mixes session ids up."""
        conn: Any = found.bind
        for table in (tables.sessions, tables.messages, tables.heads):
            if table is not None:
                _check_collation(conn, table)
        return super().facts(found, tables, columns)


def _check_collation(conn: Connection, table: Table) -> None:
    """Refuse a table whose session ids do not compare byte for byte."""
    name = conn.dialect.identifier_preparer.format_table(table)
    # The comparison's opcode names its collation; the plus keeps it from being done by an index.
    # The version makes the driver prepare it anew: a kept plan would not notice other tables.
    version: Any = conn.exec_driver_sql("PRAGMA schema_version").scalar()
    plan = f"EXPLAIN SELECT {version} FROM {name} WHERE +session_id = 'a'"  # noqa: S608
    for row in conn.exec_driver_sql(plan):
        collation = str(row.p4).partition("-")[0]
        if row.opcode in {"Eq", "Ne"} and collation not in {"BINARY", "None"}:
            raise ConfigurationError(
                f"The column {table.fullname}.session_id has the collation {collation}, which "
                f"takes different session ids for one. Stop all writers, and make the table anew "
                f"by this SQL: {_remake(conn, table, name)}"
            )


def _remake(conn: Connection, table: Table, name: str) -> str:
    """Return the SQL that puts a table in the place of one with the same columns."""
    prepare = conn.dialect.identifier_preparer
    new = prepare.quote(f"{table.name}_new")
    names = ", ".join(prepare.format_column(column) for column in table.columns)
    made = " ".join(str(CreateTable(table).compile(dialect=conn.dialect)).split())
    indexes = (str(CreateIndex(index).compile(dialect=conn.dialect)) for index in table.indexes)
    statements = (
        "PRAGMA foreign_keys = OFF",
        made.replace(f"CREATE TABLE {name}", f"CREATE TABLE {new}", 1),
        f"INSERT INTO {new} ({names}) SELECT {names} FROM {name}",  # noqa: S608
        f"DROP TABLE {name}",
        f"ALTER TABLE {new} RENAME TO {prepare.quote(table.name)}",
        *indexes,
    )
    return "; ".join(statements) + ";"
