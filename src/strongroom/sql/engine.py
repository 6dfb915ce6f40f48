"""Engines for database URLs."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any

from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from strongroom.errors import ConfigurationError, MissingDependencyError

BUSY_TIMEOUT_MS = 5000

_DRIVERS = {
    "sqlite": ("sqlite+aiosqlite", None),
    "postgresql": ("postgresql+asyncpg", "postgresql"),
    "postgres": ("postgresql+asyncpg", "postgresql"),
    "mysql": ("mysql+aiomysql", "mysql"),
    "mariadb": ("mariadb+aiomysql", "mysql"),
}


def make_engine(url: str | URL, engine_kwargs: dict[str, Any] | None = None) -> AsyncEngine:
    """Make an async engine; a SQLite one gets WAL and a busy timeout.

    Raises ConfigurationError for a URL that names no async driver, and MissingDependencyError for
    a driver that is not installed.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None  # what the error says may hold a part of the password
    if parsed is None:
        raise ConfigurationError(
            "The database URL cannot be parsed; one looks like sqlite+aiosqlite:///memory.db, and "
            "in a password / and @ are written %2F and %40."
        )
    backend = parsed.drivername.partition("+")[0]
    advice, extra = _DRIVERS.get(backend, ("", None))
    try:
        is_async = parsed.get_dialect().is_async
    except NoSuchModuleError:
        is_async = False
    if not is_async:
        use = f"use {advice}://…" if advice else f"known are {', '.join(sorted(_DRIVERS))}"
        raise ConfigurationError(
            f"The URL's driver {parsed.drivername!r} is not an async driver that strongroom "
            f"knows: {use}."
        )
    try:
        engine = create_async_engine(parsed, **(engine_kwargs or {}))
    except ModuleNotFoundError as error:
        install = f'pip install "strongroom[{extra}]"' if extra else f"pip install {error.name}"
        raise MissingDependencyError(
            f"The driver of {parsed.drivername} is not installed: {install}"
        ) from error
    if backend == "sqlite":
        event.listen(engine.sync_engine, "connect", _configure_sqlite)
        _spare_rollbacks(engine.sync_engine.dialect)
    return engine


def _configure_sqlite(connection: Any, record: object) -> None:
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
