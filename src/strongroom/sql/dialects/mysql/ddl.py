"""Making tables on MySQL and MariaDB, and looking at them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Inspector
from sqlalchemy import inspect as sql_inspect

from strongroom.errors import ConfigurationError, ConflictError
from strongroom.sql.dialects.base.ddl import Columns, TableTools
from strongroom.sql.dialects.base.facts import TableFacts
from strongroom.sql.schema import Tables

_EXACT_COLLATIONS = {"utf8mb4_0900_bin", "utf8mb4_nopad_bin"}
_LARGE_TEXTS = ("LONGTEXT", "MEDIUMTEXT")
_LARGE_BLOBS = ("LONGBLOB", "MEDIUMBLOB")


@dataclass(frozen=True, kw_only=True)
class MySQLFacts(TableFacts):
    """How session ids are bound, and the server's ``max_allowed_packet`` in bytes.

    ``bytes_as_ids``: the columns of session ids are binary.
    """

    bytes_as_ids: bool
    packet_size: int


class MySQLTableTools(TableTools):
    """Changes tables under a named lock: MySQL's DDL commits by itself."""

    def facts(self, found: Inspector, tables: Tables, columns: Columns) -> MySQLFacts:
        """Refuse columns that confuse ids or cut values, and ask for the server's packet size."""
        bytes_as_ids = all(
            _is_binary_id(table.fullname, columns[table.name]["session_id"]["type"])
            for table in (tables.sessions, tables.messages)
        )
        _check_data(tables, columns[tables.messages.name]["message_data"]["type"])
        conn: Connection = found.bind  # type: ignore[assignment]  # as inspect() was given one
        packet_size = conn.exec_driver_sql("SELECT @@max_allowed_packet").scalar()
        return MySQLFacts(
            indexed=self.is_indexed(found, tables.messages),
            session_id_length=self.session_id_length(tables, columns),
            bytes_as_ids=bytes_as_ids,
            packet_size=int(packet_size or 0),
        )

    def create_tables(self, conn: Connection, tables: Tables) -> None:
        """Make missing tables while no other process does."""
        with _lock(conn):
            super().create_tables(conn, tables)

    def add_index(self, conn: Connection, tables: Tables) -> None:
        """Add the index in place, while writers go on."""
        with _lock(conn):
            if not self.is_indexed(sql_inspect(conn), tables.messages):
                prepare = conn.dialect.identifier_preparer
                conn.exec_driver_sql(
                    f"ALTER TABLE {prepare.format_table(tables.messages)} ADD INDEX "
                    f"{prepare.format_index(tables.index)} (session_id, id), "
                    f"ALGORITHM=INPLACE, LOCK=NONE"
                )


def _is_binary_id(table: str, kind: Any) -> bool:
    """Tell whether session ids are bytes; ConfigurationError for a collation that mixes ids up."""
    if "BINARY" in str(kind).upper():
        return True
    collation = getattr(kind, "collation", None)
    if collation not in _EXACT_COLLATIONS:
        raise ConfigurationError(
            f"The column {table}.session_id is of type {kind}, collation {collation}, which takes "
            f"different session ids for one: make it VARBINARY(1020)."
        )
    return False


def _check_data(tables: Tables, kind: Any) -> None:
    is_text = tables.column_type == "text"
    if not str(kind).upper().startswith(_LARGE_TEXTS if is_text else _LARGE_BLOBS):
        raise ConfigurationError(
            f"The column {tables.messages.fullname}.message_data is of type {kind}, "
            f"which long values do not fit: make it {'LONGTEXT' if is_text else 'LONGBLOB'}."
        )
    collation = str(getattr(kind, "collation", None))
    if is_text and not (collation.startswith("utf8mb4") and collation.endswith("_bin")):
        raise ConfigurationError(
            f"The column {tables.messages.fullname}.message_data has the collation "
            f"{collation}, which takes different values for one: make it utf8mb4_bin."
        )


@contextmanager
def _lock(conn: Connection) -> Iterator[None]:
    """Keep other processes from changing the tables."""
    name = ("strongroom: change tables",)
    if conn.exec_driver_sql("SELECT GET_LOCK(%s, 60)", name).scalar() != 1:
        raise ConflictError("Another process kept changing tables for 60 seconds: try again.")
    try:
        yield
    finally:
        # A connection that was lost has lost its locks too.
        if not conn.invalidated:
            conn.exec_driver_sql("SELECT RELEASE_LOCK(%s)", name)
