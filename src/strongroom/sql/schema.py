"""The tables: those of openai-agents' SQLAlchemySession, with types that do not run out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.types import TypeEngine

ColumnType: TypeAlias = Literal["text", "binary"]

SESSION_ID_BYTES = 1020
"""The longest session id on MySQL, in bytes of UTF-8: what fits an index beside the row id."""

_MYSQL = ("mysql", "mariadb")


class CurrentTimestamp(FunctionElement[Any]):
    """The database's own time, in microseconds where it has them."""

    inherit_cache = True


@compiles(CurrentTimestamp)
def _current_timestamp(element: CurrentTimestamp, compiler: Any, **kwargs: Any) -> str:
    return "CURRENT_TIMESTAMP"


@compiles(CurrentTimestamp, "mysql")
@compiles(CurrentTimestamp, "mariadb")
def _current_timestamp_6(element: CurrentTimestamp, compiler: Any, **kwargs: Any) -> str:
    return "CURRENT_TIMESTAMP(6)"


@dataclass(frozen=True)
class Tables:
    """The tables of a store, and the MetaData that holds them; ``heads`` is there for a ledger."""

    metadata: MetaData
    sessions: Table
    messages: Table
    heads: Table | None
    column_type: ColumnType


@lru_cache(maxsize=64)
def build_tables(
    sessions_table: str,
    messages_table: str,
    column_type: ColumnType,
    schema: str | None,
    ledger: bool = False,
) -> Tables:
    """Return the tables of these names; the same object for the same names."""
    metadata = MetaData()
    sessions = Table(
        sessions_table,
        metadata,
        Column("session_id", _session_id(), primary_key=True),
        Column("created_at", _time(), server_default=CurrentTimestamp(), nullable=False),
        Column("updated_at", _time(), server_default=CurrentTimestamp(), nullable=False),
        schema=schema,
    )
    messages = Table(
        messages_table,
        metadata,
        # SQLite counts 64 bits in INTEGER, and AUTOINCREMENT is for that name alone.
        Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
        Column(
            "session_id",
            _session_id(),
            ForeignKey(sessions.c.session_id, ondelete="CASCADE"),
            nullable=False,
        ),
        Column("message_data", _data(column_type), nullable=False),
        Column("created_at", _time(), server_default=CurrentTimestamp(), nullable=False),
        Index(f"idx_{messages_table}_session_id", "session_id", "id"),
        schema=schema,
        # A plain rowid is used again after its row was popped.
        sqlite_autoincrement=True,
    )
    heads = None
    if ledger:
        # No foreign key: a head outlives its session, or clearing would forget the history.
        heads = Table(
            f"{sessions_table}_heads",
            metadata,
            Column("session_id", _session_id(), primary_key=True),
            Column(
                "head", LargeBinary(60).with_variant(mysql.VARBINARY(60), *_MYSQL), nullable=False
            ),
            schema=schema,
        )
    return Tables(metadata, sessions, messages, heads, column_type)


def _session_id() -> TypeEngine[Any]:
    # Every collation of MySQL takes some different ids for one: bytes do not.
    return String().with_variant(mysql.VARBINARY(SESSION_ID_BYTES), *_MYSQL)


def _data(column_type: ColumnType) -> TypeEngine[Any]:
    if column_type == "binary":
        return LargeBinary().with_variant(mysql.LONGBLOB(), *_MYSQL)
    return Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), *_MYSQL)


def _time() -> TypeEngine[Any]:
    return TIMESTAMP(timezone=False).with_variant(mysql.DATETIME(fsp=6), *_MYSQL)
