"""A store with a ledger on SQLite."""

from __future__ import annotations

from strongroom.sql.dialects.base.ledger import LedgerStatements


class SQLiteLedger(LedgerStatements):
    """Passes over a head that is there in SQLite's own words."""

    ignore = "OR IGNORE"
