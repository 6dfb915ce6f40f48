"""SQLite, through aiosqlite."""

from __future__ import annotations

from strongroom.sql.dialects.base.database import Database
from strongroom.sql.dialects.base.facts import TableFacts
from strongroom.sql.dialects.base.session import SessionStatements
from strongroom.sql.dialects.sqlite.columns import SQLiteColumns
from strongroom.sql.dialects.sqlite.ddl import SQLiteTableTools
from strongroom.sql.dialects.sqlite.engine import prepare_engine
from strongroom.sql.dialects.sqlite.ledger import SQLiteLedger
from strongroom.sql.dialects.sqlite.session import SQLiteSession
from strongroom.sql.dialects.sqlite.store import SQLiteStore
from strongroom.sql.dialects.sqlite.transactions import SQLiteTransactions
from strongroom.sql.dialects.sqlite.types import TYPES


def _store(session: SessionStatements, facts: TableFacts) -> SQLiteStore:
    return SQLiteStore(SQLiteColumns(session))


SQLITE = Database(
    names=("sqlite",),
    drivers=("aiosqlite",),
    extra=None,
    session_id_bytes=None,
    transactions=SQLiteTransactions(),
    tools=SQLiteTableTools(),
    session=SQLiteSession,
    store=_store,
    ledger=SQLiteLedger,
    types=TYPES,
    prepare_engine=prepare_engine,
)
