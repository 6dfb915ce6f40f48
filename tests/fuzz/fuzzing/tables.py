"""Stores in SQLite's memory, whose tables the fuzzer fills behind strongroom's back."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import text

from fuzzing.cases import Case
from strongroom import SessionStore, SQLAlchemySession

T = TypeVar("T")

TIME = "2026-01-31 12:00:00"
OTHER = "zz-other"
"""A session behind the one that is tried, which store-wide work has to reach."""


@dataclass(frozen=True)
class Cell:
    """A value of a column; ``as_text`` makes SQLite call bytes text, whatever they are."""

    value: Any
    as_text: bool = False

    @classmethod
    def of(cls, value: Any) -> Cell:
        """Read a cell of a case: a plain value, or ``{"as text": bytes}``."""
        if isinstance(value, dict):
            return cls(value["as text"], as_text=True)
        return cls(value)

    @property
    def sql(self) -> str:
        """The placeholder's place in a statement."""
        return "CAST({} AS TEXT)" if self.as_text else "{}"


class HookedSession(SQLAlchemySession):
    """A session with hooks, which decodes row by row."""

    async def _deserialize_item(self, item: Any) -> Any:
        return await super()._deserialize_item(item)


class Shelf:
    """Stores by their options, each on a database of its own, and an event loop for them."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._stores: dict[Any, SessionStore] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop of the stores."""
        return self._runner.run(work)

    def store(self, name: Any, **options: Any) -> SessionStore:
        """Return the store of this name, with its tables."""
        if name not in self._stores:
            made = SessionStore.from_url("sqlite+aiosqlite:///:memory:", **options)
            self.run(made.create_tables())
            self._stores[name] = made
        return self._stores[name]

    def close(self) -> None:
        """Close the stores and the loop."""
        for store in self._stores.values():
            self.run(store.aclose())
        self._runner.close()


async def fill(
    store: SessionStore,
    sessions: list[Case],
    heads: Sequence[tuple[str, Any]] = (),
    *,
    registered: bool = True,
) -> None:
    """Put these sessions in the place of all that the store holds.

    A session has an ``id``, ``rows`` of (row id, value, created_at), and perhaps ``updated_at``.
    Those that are not ``registered`` have no row in the table of sessions.
    """
    ids = [Cell.of(session["id"]) for session in sessions]
    times = [Cell.of(session.get("updated_at", TIME)) for session in sessions]
    rows = [
        [Cell(row_id), name, Cell.of(value), Cell.of(time)]
        for name, session in zip(ids, sessions, strict=True)
        for row_id, value, time in session["rows"]
    ]
    known = [[name, Cell(TIME), time] for name, time in zip(ids, times, strict=True)]
    async with store.engine.begin() as conn:
        await _put(conn, "agent_messages(id, session_id, message_data, created_at)", rows)
        columns = "(session_id, created_at, updated_at)"
        await _put(conn, f"agent_sessions{columns}", known if registered else [])
        if store.ledger is not None:
            cells = [[Cell(session_id), Cell.of(head)] for session_id, head in heads]
            await _put(conn, "agent_sessions_heads(session_id, head)", cells)


async def _put(conn: Any, table: str, rows: list[list[Cell]]) -> None:
    """Replace the rows of a table, those of one shape in one statement."""
    await conn.execute(text(f"DELETE FROM {table.partition('(')[0]}"))
    shapes: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        shape = ", ".join(cell.sql.format(f":v{n}") for n, cell in enumerate(row))
        shapes.setdefault(shape, []).append({f"v{n}": cell.value for n, cell in enumerate(row)})
    for shape, values in shapes.items():
        await conn.execute(text(f"INSERT INTO {table} VALUES ({shape})"), values)


async def count(store: SessionStore, session_id: str) -> int:
    """Return how many rows the database has of a session."""
    statement = text("SELECT count(*) FROM agent_messages WHERE session_id = :name")
    async with store.engine.connect() as conn:
        found = await conn.execute(statement, {"name": session_id})
        return int(found.scalar_one())
