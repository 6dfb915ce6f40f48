"""The statements over many sessions, by database."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from strongroom.sql.dialects.base.session import Database
from strongroom.sql.dialects.base.store import (
    FIRST_ID,
    Change,
    Head,
    Many,
    MovedError,
    NewRow,
    SessionRow,
    StoredRow,
)
from strongroom.sql.dialects.mysql.store import ManyMySQL
from strongroom.sql.dialects.postgresql.store import ManyPostgreSQL
from strongroom.sql.dialects.sqlite.store import ManySQLite

__all__ = [
    "FIRST_ID",
    "Change",
    "Head",
    "Many",
    "MovedError",
    "NewRow",
    "SessionRow",
    "StoredRow",
    "many_of",
]

_KINDS: dict[str, type[Many]] = {
    "sqlite": ManySQLite,
    "postgresql": ManyPostgreSQL,
    "mysql": ManyMySQL,
}
_built: WeakKeyDictionary[Database, Many] = WeakKeyDictionary()


def many_of(database: Database) -> Many:
    """Return the statements over many sessions that go with a database's own."""
    found = _built.get(database)
    if found is None:
        found = _built.setdefault(database, _KINDS[database.name](database))
    return found
