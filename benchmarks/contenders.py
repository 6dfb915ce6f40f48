"""The contenders: strongroom, the classes of openai-agents, and the floors of ``floors.py``.

Each contender has a database of its own and offers ``session(session_id)``, whose objects have
``add_items``, ``get_items`` and ``pop_item``. All get an engine or pool of the same size.
"""

from __future__ import annotations

from typing import Any

from agents.extensions.memory import EncryptedSession, SQLAlchemySession
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

import strongroom
from floors import POOL, PostgreSQLFloor, SQLiteFloor
from strongroom import Key, Keyring, SessionStore

AGENTS = "SQLAlchemySession"
ENCRYPTED = "EncryptedSession"
KEYS = Keyring(Key.generate())
MASTER_KEY = Key.generate().to_base64()
TTL = 24 * 3600  # longer than any run: expired rows would be left out


class Strongroom:
    """A store with a codec; ``column_type`` follows the codec's name as ``, binary``."""

    def __init__(self, spec: str) -> None:
        self.name = spec
        self._codec, _, column = spec.partition(", ")
        self._column: Any = column or "text"

    async def open(self, url: URL, pool: int = POOL) -> None:
        sealed = self._codec.rpartition("+")[2] in {"fernet", "aesgcm"}
        self.store = SessionStore.from_url(
            url,
            engine_kwargs=pool_options(pool),
            create_tables=True,
            codec=self._codec,
            keys=KEYS if sealed else None,
            column_type=self._column,
            **self.options(),
        )
        self._options = {"codec": self.store.codec, "column_type": self._column}
        await self.store.create_tables()
        self.engine = create_async_engine(url, **pool_options(pool))

    def options(self) -> dict[str, Any]:
        """Return what the store gets beside its codec."""
        return {}

    def session(self, session_id: str) -> Any:
        return self.store.session(session_id)

    def drop_in(self, session_id: str, *, create_tables: bool = False) -> Any:
        """Construct a session as the users of openai-agents' class do, without a store."""
        return strongroom.SQLAlchemySession(
            session_id, engine=self.engine, create_tables=create_tables, **self._options
        )

    async def close(self) -> None:
        await self.engine.dispose()
        await self.store.aclose()


class Agents:
    """openai-agents' own class, with its own tables; the application keeps the engine."""

    name = AGENTS

    async def open(self, url: URL, pool: int = POOL) -> None:
        if url.get_backend_name() == "mysql":
            await _make_tables_by_hand(url)
        self.engine = create_async_engine(url, **pool_options(pool))
        on_mysql = url.get_backend_name() == "mysql"
        first = SQLAlchemySession("first", engine=self.engine, create_tables=not on_mysql)
        await first.get_items()

    def session(self, session_id: str) -> Any:
        return self.drop_in(session_id)

    def drop_in(self, session_id: str, *, create_tables: bool = False) -> Any:
        return SQLAlchemySession(session_id, engine=self.engine, create_tables=create_tables)

    async def close(self) -> None:
        await self.engine.dispose()


class Encrypted(Agents):
    """openai-agents' EncryptedSession over its SQLAlchemySession."""

    name = ENCRYPTED

    def drop_in(self, session_id: str, *, create_tables: bool = False) -> Any:
        inner = super().drop_in(session_id, create_tables=create_tables)
        return EncryptedSession(session_id, inner, encryption_key=MASTER_KEY, ttl=TTL)


# openai-agents cannot make its tables on MySQL, where a VARCHAR needs a length, and its TEXT would
# end at 64 KB.
_MYSQL_TABLES = """
CREATE TABLE agent_sessions (
    session_id VARCHAR(255) PRIMARY KEY,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE agent_messages (
    id INTEGER NOT NULL AUTO_INCREMENT PRIMARY KEY,
    session_id VARCHAR(255) NOT NULL,
    message_data LONGTEXT NOT NULL,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (session_id) REFERENCES agent_sessions (session_id) ON DELETE CASCADE,
    INDEX idx_agent_messages_session_time (session_id, created_at)
)
"""


async def _make_tables_by_hand(url: URL) -> None:
    await execute(url, *_MYSQL_TABLES.split(";"))


async def execute(url: URL, *statements: str) -> None:
    """Run statements of the benchmark's own, each committed by itself."""
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as conn:
            for statement in statements:
                await conn.exec_driver_sql(statement)
    finally:
        await engine.dispose()


async def spread_times(url: URL) -> None:
    """Give the rows that are there a second each, as if the histories had grown one by one.

    openai-agents sorts by time, and a thousand rows of one second would cost it a sort.
    """
    time = {
        "sqlite": "datetime('2025-01-01', '+' || id || ' seconds')",
        "postgresql": "timestamp '2025-01-01' + id * interval '1 second'",
        "mysql": "TIMESTAMPADD(SECOND, id, '2025-01-01')",
    }[url.get_backend_name()]
    after = {
        "sqlite": "PRAGMA wal_checkpoint(TRUNCATE)",
        "postgresql": "VACUUM ANALYZE",
        "mysql": "ANALYZE TABLE agent_messages",
    }[url.get_backend_name()]
    await execute(url, f"UPDATE agent_messages SET created_at = {time}", after)


def pool_options(size: int) -> dict[str, Any]:
    """Return the options that give an engine a pool of this size, and no more."""
    return {"pool_size": size, "max_overflow": 0}


CODECS = (
    "json",
    "orjson",
    "msgpack",
    "orjson+fernet",
    "orjson+aesgcm",
    "msgpack+zstd+aesgcm, binary",
)


def contenders(database: str, codecs: tuple[str, ...] = CODECS) -> list[Any]:
    """Return the contenders on a database."""
    floors: list[Any] = []
    if database == "SQLite":
        floors = [SQLiteFloor()]
    elif database == "PostgreSQL":
        floors = [PostgreSQLFloor(), PostgreSQLFloor(reset=False)]
    return [Agents(), Encrypted(), *map(Strongroom, codecs), *floors]
