"""Settings of the SQLite engines that strongroom makes."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

BUSY_TIMEOUT_MS = 5000


def prepare_engine(engine: AsyncEngine) -> None:
    """Give connections WAL and a busy timeout, and spare them needless rollbacks."""
    event.listen(engine.sync_engine, "connect", _configure)
    _spare_rollbacks(engine.sync_engine.dialect)


def _configure(connection: Any, record: object) -> None:
    """Set the busy timeout, and WAL unless another process is using the file just now.

    SQLite does not wait for that; the file stays as it is until the next connection.
    """
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        with suppress(sqlite3.OperationalError):
            cursor.execute("PRAGMA journal_mode = WAL")
    finally:
        cursor.close()


def _spare_rollbacks(dialect: Any) -> None:
    """Let a rollback that has nothing to roll back do nothing.

    SQLAlchemy ends every read with one, which is one of the read's five trips to the driver's
    thread.
    """
    rollback = dialect.do_rollback

    def do_rollback(connection: Any) -> None:
        try:
            idle = not connection.driver_connection.in_transaction
        except (AttributeError, ValueError):  # there is none, or it is closed
            idle = False
        if not idle:
            rollback(connection)

    dialect.do_rollback = do_rollback
