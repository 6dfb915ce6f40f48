"""MySQL and MariaDB, through aiomysql or asyncmy."""

from __future__ import annotations

from strongroom.sql.dialects.base.database import Database
from strongroom.sql.dialects.base.session import SessionStatements
from strongroom.sql.dialects.mysql.ddl import MySQLFacts, MySQLTableTools
from strongroom.sql.dialects.mysql.ledger import MySQLLedger
from strongroom.sql.dialects.mysql.session import MySQLSession
from strongroom.sql.dialects.mysql.store import MySQLColumns, MySQLStore
from strongroom.sql.dialects.mysql.transactions import MySQLTransactions
from strongroom.sql.dialects.mysql.types import SESSION_ID_BYTES, TYPES


def _store(session: SessionStatements, facts: MySQLFacts) -> MySQLStore:
    return MySQLStore(MySQLColumns(session), facts.packet_size)


MYSQL = Database(
    names=("mysql", "mariadb"),
    drivers=("aiomysql", "asyncmy"),
    extra="mysql",
    session_id_bytes=SESSION_ID_BYTES,
    transactions=MySQLTransactions(),
    tools=MySQLTableTools(),
    session=MySQLSession,
    store=_store,
    ledger=MySQLLedger,
    types=TYPES,
)
