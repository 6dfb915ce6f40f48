"""A store with a ledger on MySQL and MariaDB."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, func, literal_column

from strongroom.sql.dialects.base.ledger import LedgerStatements
from strongroom.sql.times import NO_TIME


class MySQLLedger(LedgerStatements):
    """Reads times as microseconds, which the drivers are faster with."""

    ignore = "IGNORE"

    def micros(self, created_at: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return microseconds since 1970."""
        return func.timestampdiff(
            literal_column("MICROSECOND"), literal_column("'1970-01-01'"), created_at
        )

    def time_of(self, micros: Any) -> int:
        """Return microseconds since 1970; a value that is no time is before all."""
        return NO_TIME if micros is None else int(micros)
