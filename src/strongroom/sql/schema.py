"""The tables: those of openai-agents' SQLAlchemySession, with types that do not run out."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.types import TypeEngine

ColumnType: TypeAlias = Literal["text", "binary"]


class CurrentTimestamp(FunctionElement[Any]):
    """The database's own time, in microseconds where it has them."""

    inherit_cache = True


@compiles(CurrentTimestamp)
def _current_timestamp(element: CurrentTimestamp, compiler: Any, **kwargs: Any) -> str:
    return "CURRENT_TIMESTAMP"


@dataclass(frozen=True)
class ColumnTypes:
    """The column types of one database; a database that needs others names them in its folder."""

    row_id: TypeEngine[Any] = field(default_factory=BigInteger)
    session_id: TypeEngine[Any] = field(default_factory=String)
    text: TypeEngine[Any] = field(default_factory=Text)
    binary: TypeEngine[Any] = field(default_factory=LargeBinary)
    time: TypeEngine[Any] = field(default_factory=lambda: TIMESTAMP(timezone=False))
    head: TypeEngine[Any] = field(default_factory=lambda: LargeBinary(60))


@dataclass(frozen=True)
class TableNames:
    """The names of a store's tables, and how they are laid out.

    ``ledger`` adds the table of heads. ``schema`` is the database schema, None for the default one.
    """

    sessions: str
    messages: str
    column_type: ColumnType
    schema: str | None
    ledger: bool


@dataclass(frozen=True)
class Tables:
    """The tables of a store, and the MetaData that holds them; ``heads`` is there for a ledger."""

    metadata: MetaData
    sessions: Table
    messages: Table
    heads: Table | None
    column_type: ColumnType

    @property
    def index(self) -> Index:
        """The index on (session_id, id)."""
        (index,) = self.messages.indexes
        return index


@lru_cache(maxsize=64)
def build_tables(names: TableNames, types: ColumnTypes) -> Tables:
    """Return the tables of these names; the same object for the same names."""
    metadata = MetaData()
    sessions = Table(
        names.sessions,
        metadata,
        Column("session_id", types.session_id, primary_key=True),
        Column("created_at", types.time, server_default=CurrentTimestamp(), nullable=False),
        Column("updated_at", types.time, server_default=CurrentTimestamp(), nullable=False),
        schema=names.schema,
    )
    data = types.binary if names.column_type == "binary" else types.text
    messages = Table(
        names.messages,
        metadata,
        Column("id", types.row_id, primary_key=True),
        Column(
            "session_id",
            types.session_id,
            ForeignKey(sessions.c.session_id, ondelete="CASCADE"),
            nullable=False,
        ),
        Column("message_data", data, nullable=False),
        Column("created_at", types.time, server_default=CurrentTimestamp(), nullable=False),
        Index(f"idx_{names.messages}_session_id", "session_id", "id"),
        schema=names.schema,
        # A plain rowid is used again after its row was popped; other databases ignore this.
        sqlite_autoincrement=True,
    )
    heads = _heads(names, types, metadata) if names.ledger else None
    return Tables(metadata, sessions, messages, heads, names.column_type)


def _heads(names: TableNames, types: ColumnTypes, metadata: MetaData) -> Table:
    """Return the table of heads.

    It has no foreign key: a head outlives its session, or clearing would forget the history.
    """
    return Table(
        f"{names.sessions}_heads",
        metadata,
        Column("session_id", types.session_id, primary_key=True),
        Column("head", types.head, nullable=False),
        schema=names.schema,
    )
