"""The databases that the tests run on, and everything that a test opens on one."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import tiers
from strongroom import SessionStore, SQLAlchemySession
from strongroom.sql.engine import make_engine

COLUMN_TYPES = ("text", "binary")


@dataclass(frozen=True)
class Driver:
    """One way to a database: what tests run on, and in columns of which types if they name none."""

    url: str
    server: str = ""
    column_types: tuple[str, ...] = COLUMN_TYPES
    partitioned: bool = False


# The main driver of each database has both column types; of the others, tests that are about
# values ask for both.
DRIVERS = {
    "sqlite-file": Driver("sqlite+aiosqlite"),
    "sqlite-memory": Driver("sqlite+aiosqlite", column_types=("text",)),
    "postgresql": Driver("postgresql+asyncpg", "postgresql"),
    "mysql-aiomysql": Driver("mysql+aiomysql", "mysql"),
    "mysql-asyncmy": Driver("mysql+asyncmy", "mysql", column_types=("text",)),
    # Only for tests that name it.
    "postgresql-partitioned": Driver(
        "postgresql+asyncpg", "postgresql", column_types=("text",), partitioned=True
    ),
}
ALL = tuple(name for name, driver in DRIVERS.items() if not driver.partitioned)


def pairs(names: Collection[str] = (), column_types: Collection[str] = ()) -> list[tuple[str, str]]:
    """Return the databases and column types that a test wants, from what its marker names."""
    return [
        (name, column_type)
        for name in names or ALL
        for column_type in column_types or DRIVERS[name].column_types
    ]


def in_this_tier(wanted: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return those of them that the tier runs: in the fast one, the first that needs no server."""
    if tiers.current() == "fast":
        return [pair for pair in wanted if not DRIVERS[pair[0]].server][:1]
    return wanted


@dataclass
class Database:
    """One clean database, and everything that a test opens on it."""

    name: str
    url: URL
    column_type: str = "text"
    _engines: list[AsyncEngine] = field(default_factory=list)
    _shared: AsyncEngine | None = None

    @property
    def dialect(self) -> str:
        """What SQLAlchemy calls the database."""
        return self.url.get_backend_name()

    def engine(self, **options: Any) -> AsyncEngine:
        """Make an engine as an application does; it is disposed of after the test."""
        engine = create_async_engine(self.url, **options)
        self._engines.append(engine)
        return engine

    @property
    def shared(self) -> AsyncEngine:
        """The engine of this test, as ``from_url`` makes one."""
        if self._shared is None:
            self._shared = make_engine(self.url)
            self._engines.append(self._shared)
        return self._shared

    def store(self, *, engine: AsyncEngine | None = None, **options: Any) -> SessionStore:
        """Return a store on the test's engine, or on another, that makes its tables."""
        return SessionStore(engine or self.shared, **self._with_defaults(options))

    def session(
        self,
        session_id: str = "s",
        *,
        engine: AsyncEngine | None = None,
        kind: type[SQLAlchemySession] = SQLAlchemySession,
        **options: Any,
    ) -> Any:
        """Return a session on the test's engine, or on another, that makes its tables."""
        return kind(session_id, engine=engine or self.shared, **self._with_defaults(options))

    def _with_defaults(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"create_tables": True, "column_type": self.column_type} | options

    async def execute(self, sql: str, **values: Any) -> list[Any]:
        """Run SQL of the test's own, and commit; ids go in and come out as str."""
        if self.dialect == "mysql" and isinstance(values.get("session_id"), str):
            values["session_id"] = values["session_id"].encode()
        async with self.shared.begin() as conn:
            result = await conn.execute(text(sql), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    async def rows(self, session_id: str = "s") -> list[tuple[int, str | bytes]]:
        """Return ids and values of a session as they lie in the table."""
        return await self.execute(
            "SELECT id, message_data FROM agent_messages WHERE session_id = :session_id "
            "ORDER BY id",
            session_id=session_id,
        )

    async def put(self, value: str | bytes, session_id: str = "s") -> int:
        """Insert a row behind the library's back, and return its id; the session has to exist."""
        await self.execute(
            "INSERT INTO agent_messages (session_id, message_data) VALUES (:session_id, :value)",
            session_id=session_id,
            value=self.column(value),
        )
        return (await self.rows(session_id))[-1][0]

    def column(self, value: str | bytes) -> str | bytes:
        """Return a value in the form that the column has."""
        if self.column_type == "binary":
            return value.encode() if isinstance(value, str) else value
        return value.decode() if isinstance(value, bytes) else value

    async def aclose(self) -> None:
        """Close every connection."""
        for engine in self._engines:
            await engine.dispose()


def partitioned_tables() -> list[str]:
    """Return the statements of docs/databases.md that make PostgreSQL tables with partitions."""
    docs = Path(__file__).parents[1] / "docs" / "databases.md"
    (block,) = [
        block
        for block in re.findall(r"^```sql\n(.*?)^```$", docs.read_text(), re.DOTALL | re.MULTILINE)
        if "PARTITION BY" in block
    ]
    return [statement for statement in block.split(";\n") if statement.strip()]
