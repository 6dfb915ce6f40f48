"""Engines for database URLs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from strongroom.errors import ConfigurationError, MissingDependencyError
from strongroom.sql.dialects import registry


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
    database = registry.named(parsed.get_backend_name())
    _check_driver(parsed)
    try:
        engine = create_async_engine(parsed, **(engine_kwargs or {}))
    except ModuleNotFoundError as error:
        extra = database.extra if database is not None else None
        install = f'pip install "strongroom[{extra}]"' if extra else f"pip install {error.name}"
        raise MissingDependencyError(
            f"The driver of {parsed.drivername} is not installed: {install}"
        ) from error
    except ValueError:
        engine = None  # the error may hold what the URL has to hide
    if engine is None:
        raise ConfigurationError(
            f"An option of the database URL has a value that {parsed.drivername} does not take: "
            f"check what follows the '?' in the URL."
        )
    if database is not None and database.prepare_engine is not None:
        database.prepare_engine(engine)
    return engine


def _check_driver(url: URL) -> None:
    """Raise ConfigurationError, with the driver to use, for a URL whose driver is not async."""
    try:
        if url.get_dialect().is_async:
            return
    except NoSuchModuleError:
        pass
    name = url.get_backend_name()
    database = registry.named(name)
    if database is not None:
        name = database.url_name(name)
        use = f"use {name}+{database.drivers[0]}://…"
    else:
        known = sorted(name for database in registry.DATABASES for name in database.names)
        use = f"known are {', '.join(known)}"
    raise ConfigurationError(
        f"The URL's driver {url.drivername!r} is not an async driver that strongroom knows: {use}."
    )


def make_session_factory(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Return a factory of ORM sessions, which subclasses of openai-agents' class may use."""
    return async_sessionmaker(engine, expire_on_commit=False)
