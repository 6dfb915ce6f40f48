"""The databases that strongroom works on; a new one is added here, and nowhere else."""

from __future__ import annotations

from sqlalchemy import Dialect

from strongroom.errors import ConfigurationError
from strongroom.sql.dialects.base.database import Database
from strongroom.sql.dialects.mysql.database import MYSQL
from strongroom.sql.dialects.postgresql.database import POSTGRESQL
from strongroom.sql.dialects.sqlite.database import SQLITE

DATABASES = (SQLITE, POSTGRESQL, MYSQL)


def named(name: str) -> Database | None:
    """Return the database that SQLAlchemy or a URL calls by this name, None if it is unknown."""
    return next(
        (database for database in DATABASES if name in (*database.names, *database.aliases)), None
    )


def find(dialect: Dialect) -> Database:
    """Return the database of a dialect and its driver; ConfigurationError if there is none."""
    database = named(dialect.name)
    if database is None or dialect.driver not in database.drivers:
        known = [f"{names.names[0]}+{driver}" for names in DATABASES for driver in names.drivers]
        raise ConfigurationError(
            f"strongroom works on {', '.join(known)}, not on {dialect.name}+{dialect.driver}: make "
            f"the engine with one of these drivers."
        )
    return database
