"""Making the tables and looking at them; the folders of the databases say what differs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Inspector, Table

from strongroom.sql.dialects.base.facts import TableFacts
from strongroom.sql.schema import Tables

Columns: TypeAlias = Mapping[str, Mapping[str, Any]]
"""The columns that are there, by table and name, as SQLAlchemy's inspector describes them."""


class TableTools(ABC):
    """Makes the tables of one database, and finds out what tables are like."""

    def create_tables(self, conn: Connection, tables: Tables) -> None:
        """Make the tables that are missing, safely in many processes at once."""
        tables.metadata.create_all(conn)
        conn.commit()

    @abstractmethod
    def add_index(self, conn: Connection, tables: Tables) -> None:
        """Add the index on (session_id, id), in the way that blocks writers least."""

    def is_indexed(self, found: Inspector, messages: Table) -> bool:
        """Tell whether an index, or the primary key, begins with (session_id, id)."""
        primary = found.get_pk_constraint(messages.name, messages.schema)["constrained_columns"]
        indexes: list[Sequence[Any]] = [
            index["column_names"] for index in found.get_indexes(messages.name, messages.schema)
        ]
        return any(list(columns[:2]) == ["session_id", "id"] for columns in (primary, *indexes))

    def facts(self, found: Inspector, tables: Tables, columns: Columns) -> TableFacts:
        """Return the facts about the tables; ConfigurationError if they would lose data."""
        return TableFacts(
            indexed=self.is_indexed(found, tables.messages),
            session_id_length=self.session_id_length(tables, columns),
        )

    @staticmethod
    def session_id_length(tables: Tables, columns: Columns) -> int | None:
        """Return the shortest length that the columns of session ids declare."""
        lengths = (
            getattr(columns[table.name]["session_id"]["type"], "length", None)
            for table in (tables.sessions, tables.messages)
        )
        return min((length for length in lengths if length), default=None)
