"""The floors: the same operations on the driver alone, written by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import aiosqlite
import asyncpg
import orjson
from sqlalchemy import URL

from strongroom import SessionStore

FLOOR = "floor"
BARE_FLOOR = "floor, no reset"
POOL = 5
"""How many connections each contender may have."""


class SQLiteFloor:
    """aiosqlite's cursors by hand: one connection, two statements and a commit."""

    name = FLOOR

    async def open(self, url: URL, pool: int = POOL) -> None:
        await _make_strongroom_tables(url)
        self.database = await aiosqlite.connect(url.database or "")
        await self.database.execute("PRAGMA busy_timeout = 5000")
        self.turn = asyncio.Lock()

    def session(self, session_id: str) -> Any:
        return _SQLiteSession(self.database, self.turn, session_id)

    def drop_in(self, session_id: str, *, create_tables: bool = False) -> Any:
        return self.session(session_id)

    async def close(self) -> None:
        await self.database.close()


class _SQLiteSession:
    def __init__(self, database: aiosqlite.Connection, turn: asyncio.Lock, key: str) -> None:
        self.database, self.turn, self.key = database, turn, key

    async def add_items(self, items: list[Any]) -> None:
        rows = [(self.key, orjson.dumps(item).decode()) for item in items]
        async with self.turn:
            async with self.database.execute(
                "INSERT INTO agent_sessions (session_id) VALUES (?) ON CONFLICT (session_id) "
                "DO UPDATE SET updated_at = CURRENT_TIMESTAMP",
                (self.key,),
            ):
                pass
            async with self.database.executemany(
                "INSERT INTO agent_messages (session_id, message_data) VALUES (?, ?)", rows
            ):
                pass
            await self.database.commit()

    async def get_items(self, limit: int | None = None) -> list[Any]:
        sql = "SELECT message_data FROM agent_messages WHERE session_id = ? ORDER BY id"
        if limit is not None:
            sql += f" DESC LIMIT {limit}"
        async with self.database.execute(sql, (self.key,)) as cursor:
            rows = await cursor.fetchall()
        items = [orjson.loads(row[0]) for row in rows]
        return items if limit is None else items[::-1]

    async def pop_item(self) -> Any:
        async with self.turn:
            async with self.database.execute(
                "DELETE FROM agent_messages WHERE id = (SELECT max(id) FROM agent_messages "
                "WHERE session_id = ?) RETURNING message_data",
                (self.key,),
            ) as cursor:
                row = await cursor.fetchone()
            await self.database.commit()
        return row and orjson.loads(row[0])


class PostgreSQLFloor:
    """asyncpg's pool by hand: one statement an operation.

    The pool resets a connection that is given back, which takes a round trip; without ``reset``
    it does not, and the connection is as the last user left it.
    """

    def __init__(self, *, reset: bool = True) -> None:
        self.name = FLOOR if reset else BARE_FLOOR
        self._reset = reset

    async def open(self, url: URL, pool: int = POOL) -> None:
        await _make_strongroom_tables(url)
        options = {} if self._reset else {"reset": _leave}
        dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self.pool = await asyncpg.create_pool(dsn, min_size=pool, max_size=pool, **options)

    def session(self, session_id: str) -> Any:
        return _PostgreSQLSession(self.pool, session_id)

    def drop_in(self, session_id: str, *, create_tables: bool = False) -> Any:
        return self.session(session_id)

    async def close(self) -> None:
        await self.pool.close()


async def _leave(connection: object) -> None:
    """Give a connection back as it is."""


class _PostgreSQLSession:
    def __init__(self, pool: Any, key: str) -> None:
        self.pool, self.key = pool, key

    async def add_items(self, items: list[Any]) -> None:
        await self.pool.execute(
            "WITH parent AS (INSERT INTO agent_sessions (session_id) VALUES ($1) "
            "ON CONFLICT (session_id) DO UPDATE SET updated_at = CURRENT_TIMESTAMP "
            "RETURNING session_id) INSERT INTO agent_messages (session_id, message_data) "
            "SELECT parent.session_id, item FROM parent, "
            "unnest($2::text[]) WITH ORDINALITY AS items (item, position) ORDER BY position",
            self.key,
            [orjson.dumps(item).decode() for item in items],
        )

    async def get_items(self, limit: int | None = None) -> list[Any]:
        sql = "SELECT message_data FROM agent_messages WHERE session_id"
        if limit is None:
            rows = await self.pool.fetch(f"{sql} = $1 ORDER BY id", self.key)
            return [orjson.loads(row[0]) for row in rows]
        # With an equality the planner would walk the table from its end, as it is one session's.
        latest = f"{sql} BETWEEN $1 AND $1 ORDER BY session_id DESC, id DESC LIMIT $2"
        rows = await self.pool.fetch(latest, self.key, limit)
        return [orjson.loads(row[0]) for row in reversed(rows)]

    async def pop_item(self) -> Any:
        found = await self.pool.fetchval(
            "DELETE FROM agent_messages WHERE id = (SELECT id FROM agent_messages "
            "WHERE session_id = $1 ORDER BY id DESC LIMIT 1 FOR UPDATE) RETURNING message_data",
            self.key,
        )
        return found and orjson.loads(found)


async def _make_strongroom_tables(url: URL) -> None:
    async with SessionStore.from_url(url, create_tables=True) as store:
        await store.create_tables()
