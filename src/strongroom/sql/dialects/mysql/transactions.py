"""Connections and transactions on MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from strongroom.sql.dialects.base.transactions import Transactions

_TRANSIENT = {
    1020,  # the row has changed since the snapshot (MariaDB's snapshot isolation)
    1205,  # lock wait timeout
    1213,  # deadlock
}


class MySQLTransactions(Transactions):
    """Transactions at READ COMMITTED: no gap locks, and no snapshot from before a wait."""

    def begin(self, conn: Connection, *, writes: bool, single: bool) -> Connection:
        """Fix the isolation of the transaction, and open it where the driver would not."""
        if writes:
            conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            driver: Any = conn.connection.driver_connection
            if driver.get_autocommit():
                conn.exec_driver_sql("START TRANSACTION")
        return conn

    def is_stale(self, conn: Connection) -> bool:
        """Ask aiomysql whether the server hung up; asyncmy does not tell."""
        driver: Any = conn.connection.driver_connection
        reader = getattr(driver, "_reader", None)
        return reader is not None and (reader.at_eof() or reader.exception() is not None)

    def is_transient(self, error: DBAPIError) -> bool:
        """Tell deadlocks and lock waits; the whole transaction is then rolled back."""
        arguments: Sequence[Any] = getattr(error.orig, "args", ())
        return bool(arguments) and arguments[0] in _TRANSIENT
