"""Column types of MySQL and MariaDB."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles

from strongroom.sql.schema import ColumnTypes, CurrentTimestamp

SESSION_ID_BYTES = 1020
"""The longest session id, in bytes of UTF-8: as many as fit an index beside the row id."""

TYPES = ColumnTypes(
    # Every collation of MySQL takes some different ids for one: bytes do not.
    session_id=mysql.VARBINARY(SESSION_ID_BYTES),
    text=mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"),
    binary=mysql.LONGBLOB(),
    time=mysql.DATETIME(fsp=6),
    head=mysql.VARBINARY(60),
)


@compiles(CurrentTimestamp, "mysql")
@compiles(CurrentTimestamp, "mariadb")
def _current_timestamp_6(element: CurrentTimestamp, compiler: Any, **kwargs: Any) -> str:
    return "CURRENT_TIMESTAMP(6)"
