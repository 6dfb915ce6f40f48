"""The statements over many sessions, by database."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from strongroom.sql.base import Database
from strongroom.sql.many.base import (
    FIRST_ID,
    Change,
    Head,
    Many,
    MovedError,
    NewRow,
    SessionRow,
    StoredRow,
)
from strongroom.sql.many.mysql import ManyMySQL
from strongroom.sql.many.postgresql import ManyPostgreSQL
from strongroom.sql.many.sqlite import ManySQLite

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
