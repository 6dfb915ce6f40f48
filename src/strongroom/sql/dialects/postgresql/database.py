"""PostgreSQL, through asyncpg."""

from __future__ import annotations

from strongroom.sql.dialects.base.database import Database
from strongroom.sql.dialects.base.facts import TableFacts
from strongroom.sql.dialects.base.session import SessionStatements
from strongroom.sql.dialects.postgresql.ddl import PostgreSQLTableTools
from strongroom.sql.dialects.postgresql.ledger import PostgreSQLLedger
from strongroom.sql.dialects.postgresql.session import PostgreSQLSession
from strongroom.sql.dialects.postgresql.store import PostgreSQLColumns, PostgreSQLStore
from strongroom.sql.dialects.postgresql.transactions import PostgreSQLTransactions


def _store(session: SessionStatements, facts: TableFacts) -> PostgreSQLStore:
    return PostgreSQLStore(PostgreSQLColumns(session))


POSTGRESQL = Database(
    names=("postgresql",),
    aliases=("postgres",),
    drivers=("asyncpg",),
    extra="postgresql",
    session_id_bytes=2600,  # what an entry of a B-tree holds, and a little less
    transactions=PostgreSQLTransactions(),
    tools=PostgreSQLTableTools(),
    session=PostgreSQLSession,
    store=_store,
    ledger=PostgreSQLLedger,
)
