"""Column types of SQLite."""

from __future__ import annotations

from sqlalchemy import Integer

from strongroom.sql.schema import ColumnTypes

# SQLite counts 64 bits in INTEGER, and AUTOINCREMENT is for that name alone.
TYPES = ColumnTypes(row_id=Integer())
