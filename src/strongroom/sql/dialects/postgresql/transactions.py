"""Connections and transactions on PostgreSQL through asyncpg."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from strongroom.sql.dialects.base.transactions import Transactions

_TRANSIENT = {
    "40001",  # serialization failure
    "40P01",  # deadlock detected
}


class PostgreSQLTransactions(Transactions):
    """A single statement is its own transaction, and takes one round trip."""

    def begin(self, conn: Connection, *, writes: bool, single: bool) -> Connection:
        """Let a single statement be its own transaction, and fix the isolation of a longer one."""
        level = "AUTOCOMMIT" if single else "READ COMMITTED"
        return conn.execution_options(isolation_level=level)

    def is_stale(self, conn: Connection) -> bool:
        """Ask the driver whether it has seen the connection close."""
        driver: Any = conn.connection.driver_connection
        return bool(driver.is_closed())

    def is_transient(self, error: DBAPIError) -> bool:
        """Tell a serialization failure and a deadlock, which roll the statement back."""
        return getattr(error.orig, "sqlstate", None) in _TRANSIENT
