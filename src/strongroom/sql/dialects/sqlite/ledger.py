"""A store with a ledger on SQLite."""

from __future__ import annotations

from typing import Any

from strongroom.sql.dialects.base.ledger import LedgerStatements
from strongroom.sql.dialects.base.step import HeadAndRows

_VALUES = {str, bytes}


class SQLiteLedger(LedgerStatements):
    """Passes over a head that is there in SQLite's own words."""

    ignore = "OR IGNORE"

    def _split(self, result: Any) -> HeadAndRows:
        """Return head and rows; a number in a column of values becomes bytes that are no row."""
        head, rows = super()._split(result)
        if {type(row[1]) for row in rows} <= _VALUES:
            return head, rows
        return head, [
            (row_id, value if type(value) in _VALUES else str(value).encode(), time)
            for row_id, value, time in rows
        ]
