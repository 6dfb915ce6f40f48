"""Making the tables, and looking at what is there."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Inspector, Table
from sqlalchemy import inspect as sql_inspect
from sqlalchemy.exc import NoSuchTableError

from strongroom.errors import ConfigurationError
from strongroom.sql.dialects.base.database import Database, Statements
from strongroom.sql.schema import TableNames, Tables, build_tables

logger = logging.getLogger("strongroom")


def create_tables(conn: Connection, database: Database, tables: Tables) -> None:
    """Make the tables that are missing; never change one that exists."""
    database.tools.create_tables(conn, tables)


def add_index(conn: Connection, database: Database, tables: Tables) -> None:
    """Add the index on (session_id, id) to tables that were made without it."""
    database.tools.add_index(conn, tables)


def inspect(conn: Connection, database: Database, tables: Tables) -> Statements:
    """Check that the tables are there and fit, and return their statements.

    Raises ConfigurationError if a table is missing or has a column of the other type.
    """
    found = sql_inspect(conn)
    columns = {
        table.name: _columns(found, table)
        for table in (tables.sessions, tables.messages, tables.heads)
        if table is not None
    }
    _check_column_type(columns[tables.messages.name]["message_data"]["type"], tables)
    facts = database.tools.facts(found, tables, columns)
    statements = database.statements(tables, conn.dialect, facts)
    if not facts.indexed:
        logger.warning(
            "The table %s has no index on (session_id, id): reading the latest rows of a long "
            "session sorts all of it. `strongroom upgrade` adds the index.",
            tables.messages.fullname,
        )
    return statements


def has_heads(conn: Connection, database: Database, names: TableNames) -> bool:
    """Tell whether the heads of a ledger are there, whether the store knows of them or not."""
    heads = build_tables(replace(names, ledger=True), database.types).heads
    return heads is not None and sql_inspect(conn).has_table(heads.name, schema=heads.schema)


def _columns(found: Inspector, table: Table) -> dict[str, Any]:
    try:
        columns = {column["name"]: column for column in found.get_columns(table.name, table.schema)}
    except NoSuchTableError:
        columns = {}
    if not columns:
        raise ConfigurationError(
            f"There is no table {table.fullname!r} in this database: pass create_tables=True to "
            f"make the tables that are missing, or check the URL and the table names."
        )
    missing = [column.name for column in table.columns if column.name not in columns]
    if missing:
        raise ConfigurationError(
            f"The table {table.fullname!r} has no column {', '.join(missing)}: it is not a table "
            f"of this schema."
        )
    return columns


def _check_column_type(actual: Any, tables: Tables) -> None:
    binary = any(word in str(actual).upper() for word in ("BLOB", "BINARY", "BYTEA"))
    wanted = tables.column_type == "binary"
    if binary != wanted:
        have, other = ("binary", "text") if binary else ("text", "binary")
        raise ConfigurationError(
            f"The column {tables.messages.fullname}.message_data is of type {actual}: pass "
            f'column_type="{have}", or copy the store into tables with column_type="{other}".'
        )
