"""Making tables on SQLite."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from strongroom.sql.dialects.base.ddl import TableTools
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
