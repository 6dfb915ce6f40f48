"""Everything that strongroom knows about one kind of database, in one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine

from strongroom.sql.dialects.base.ddl import TableTools
from strongroom.sql.dialects.base.ledger import LedgerStatements
from strongroom.sql.dialects.base.session import SessionStatements
from strongroom.sql.dialects.base.store import StoreStatements
from strongroom.sql.dialects.base.transactions import Transactions
from strongroom.sql.schema import ColumnTypes, Tables


@dataclass(frozen=True)
class Statements:
    """The statements for one pair of tables; ``ledger`` is None where there are no heads."""

    session: SessionStatements
    store: StoreStatements
    ledger: LedgerStatements | None


@dataclass(frozen=True, kw_only=True)
class Database:
    """One kind of database.

    ``names`` are those of SQLAlchemy's dialects for it, ``aliases`` what URLs say elsewhere, which
    SQLAlchemy does not know. ``drivers`` are the async
    drivers that it was built for, the recommended one first. ``extra`` is the extra of strongroom
    that installs that driver. ``session_id_bytes`` bounds session ids whatever the column, in
    bytes of UTF-8. ``session``, ``store`` and ``ledger`` make the statements; ``session`` gets
    the facts that ``tools`` found. ``prepare_engine`` configures an engine that strongroom made.
    """

    names: tuple[str, ...]
    drivers: tuple[str, ...]
    extra: str | None
    session_id_bytes: int | None
    transactions: Transactions
    tools: TableTools
    session: Callable[[Tables, Dialect, Any], SessionStatements]
    store: Callable[[SessionStatements, Any], StoreStatements]
    ledger: Callable[[StoreStatements], LedgerStatements]
    aliases: tuple[str, ...] = ()
    types: ColumnTypes = field(default_factory=ColumnTypes)
    prepare_engine: Callable[[AsyncEngine], None] | None = None

    def url_name(self, name: str) -> str:
        """Return the name to use in a URL that says ``name``."""
        return name if name in self.names else self.names[0]

    def statements(self, tables: Tables, dialect: Dialect, facts: Any) -> Statements:
        """Return the statements for tables of which the facts are known."""
        session = self.session(tables, dialect, facts)
        store = self.store(session, facts)
        ledger = None if tables.heads is None else self.ledger(store)
        return Statements(session, store, ledger)
