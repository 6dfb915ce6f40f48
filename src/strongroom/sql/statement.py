"""SQL that is compiled once, and the driver's own rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Executable


@dataclass(frozen=True)
class Statement:
    """SQL of the driver's own dialect, the order of its parameters, and those with a value."""

    sql: str
    names: tuple[str, ...]
    constants: dict[str, Any]

    @classmethod
    def compile(cls, statement: Executable, dialect: Dialect) -> Statement:
        """Compile a statement for a driver."""
        compiled = cast("Any", statement).compile(dialect=dialect)
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        return cls(str(compiled), tuple(compiled.positiontup or ()), constants)

    def run(self, conn: Connection, **values: Any) -> Any:
        """Execute with one value for each name; returns SQLAlchemy's result."""
        if self.constants:
            values |= self.constants
        return conn.exec_driver_sql(self.sql, tuple(map(values.__getitem__, self.names)))

    def run_many(self, conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute once for each row, given in the order of the names."""
        conn.exec_driver_sql(self.sql, list(rows))


def fetch(result: Any) -> list[tuple[Any, ...]]:
    """Return the driver's own rows: SQLAlchemy's would only be taken apart again."""
    rows = result.cursor.fetchall()
    result.close()
    if rows and type(rows[0]) is tuple:
        return list(rows)
    return list(map(tuple, rows))
