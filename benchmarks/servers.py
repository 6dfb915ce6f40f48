"""The databases that everything is measured on: private servers with the settings of production."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL, make_url

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import database_servers

DATABASES = ("SQLite", "PostgreSQL", "MariaDB")
SETTINGS = {
    "SQLite": "a file on disk, WAL, synchronous FULL",
    "PostgreSQL": "fsync on, synchronous_commit on, loopback TCP",
    "MariaDB": "innodb_flush_log_at_trx_commit 1, loopback TCP",
}


class Site:
    """A running database of one kind that makes clean databases."""

    def __init__(
        self, name: str, admin: URL | Path, server: database_servers.Server | None
    ) -> None:
        self.name = name
        self.admin = admin
        self._server = server
        self._number = itertools.count(1)
        self._made: list[str] = []

    def make_database(self) -> URL:
        """Make a database that nobody else uses, and return its URL."""
        name = f"bench_{os.getpid()}_{next(self._number)}"
        if isinstance(self.admin, Path):
            return make_url(f"sqlite+aiosqlite:///{self.admin / name}.db")
        assert self._server is not None
        self._server.sql(f"CREATE DATABASE {name}")
        self._made.append(name)
        return self.admin.set(database=name)

    def drop_databases(self) -> None:
        """Drop them all again, for a server that is not ours."""
        for name in self._made:
            assert self._server is not None
            self._server.sql(f"DROP DATABASE {name}")


@contextlib.contextmanager
def site(name: str) -> Iterator[Site]:
    """Start a database; raises MissingDatabaseError where there is none."""
    if name == "SQLite":
        with database_servers.directory() as folder:
            yield Site(name, folder, None)
        return
    start = {"PostgreSQL": database_servers.postgresql, "MariaDB": database_servers.mysql}[name]
    with start(durable=True) as server:
        place = Site(name, server.admin, server)
        try:
            yield place
        finally:
            place.drop_databases()
