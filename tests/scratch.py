"""A database on a server that one test gets after another, clean each time.

Its tables are made once, and before a test their rows are deleted, which takes a tenth of the time.
Where the last test left anything else (a table, an index, a trigger, a grant), all is made anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from database_servers import Server
from strongroom import SessionStore

MANY_ROWS = 2000
"""What is faster to drop than to delete; a table that held more is made anew too."""

HEADS = "agent_sessions_heads"

T = TypeVar("T")


class Scratch(ABC):
    """A database of our own on a server, and one connection to it that is kept."""

    def __init__(self, server: Server, column_type: str, layout: Sequence[str] = ()) -> None:
        self.server = server
        self.name = f"strongroom_{uuid.uuid4().hex[:12]}"
        self.url = server.admin.set(database=self.name)
        self._column_type: Any = column_type
        self._layout = layout
        self._loop = asyncio.new_event_loop()
        self._kept: tuple[AsyncEngine, AsyncConnection] | None = None
        self._tidy: Any = None
        server.sql(f"CREATE DATABASE {self.name}")

    def clean(self, *, tables: bool = True) -> None:
        """Leave nothing of an earlier test, not even its connections.

        The tables of a store are there then, and empty; without ``tables``, nothing is.
        """
        self._run(self._clean(tables=tables))

    def drop(self) -> None:
        """Close the connection and drop the database, if its server still runs."""
        with contextlib.suppress(Exception):  # a test of faults may have left the server down
            self._run(self._close())
            self.server.sql(f"DROP DATABASE {self.name}")
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    async def _clean(self, *, tables: bool) -> None:
        conn = await self._connection()
        await self.end_others(conn)
        if not tables:
            if await self.state(conn) != self.nothing:
                await self.wipe(conn)
        elif not await self._is_tidy(conn) or await self.delete_rows(conn) > MANY_ROWS:
            await self.wipe(conn)
            await self._make_tables(conn)
            self._tidy = await self.state(conn)

    async def _is_tidy(self, conn: AsyncConnection) -> bool:
        """Tell whether the tables of a store are there and nothing else; drop those of ledgers."""
        found = await self.state(conn)
        if found != self._tidy and f"{HEADS} " in str(found).replace("`", " "):
            await conn.exec_driver_sql(f"DROP TABLE {HEADS}")
            found = await self.state(conn)
        return bool(found == self._tidy)

    async def _connection(self) -> AsyncConnection:
        """Return the connection, or another one if the server was started anew meanwhile."""
        if self._kept is not None:
            try:
                await self._kept[1].exec_driver_sql("SELECT 1")
            except (DBAPIError, OSError):
                with contextlib.suppress(Exception):
                    await self._close()
            else:
                return self._kept[1]
        engine = create_async_engine(self.url, isolation_level="AUTOCOMMIT")
        self._kept = engine, await engine.connect()
        return self._kept[1]

    async def _close(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept[1].close()
            await kept[0].dispose()

    async def _make_tables(self, conn: AsyncConnection) -> None:
        for statement in self._layout:
            await conn.exec_driver_sql(statement)
        if not self._layout:
            engine = create_async_engine(self.url)
            try:
                await SessionStore(engine, column_type=self._column_type).create_tables()
            finally:
                await engine.dispose()

    nothing: Any
    """What ``state`` returns of an empty database."""

    @abstractmethod
    async def state(self, conn: AsyncConnection) -> Any:
        """Return what there is but for rows, in a form that can be compared."""

    @abstractmethod
    async def end_others(self, conn: AsyncConnection) -> None:
        """End all other connections to the database, which may hold locks."""

    @abstractmethod
    async def delete_rows(self, conn: AsyncConnection) -> int:
        """Delete all rows, let ids begin at 1 again, and return how many rows there were."""

    @abstractmethod
    async def wipe(self, conn: AsyncConnection) -> None:
        """Drop everything."""


_STATE = """
WITH ours AS (
    SELECT oid FROM pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\\_t%'
), relations AS (
    SELECT * FROM pg_class WHERE relnamespace IN (SELECT oid FROM ours)
), lines (line) AS (
    SELECT concat_ws(' ', 'schema', nspname, nspacl) FROM pg_namespace
    WHERE oid IN (SELECT oid FROM ours)
    UNION ALL
    SELECT concat_ws(' ', 'relation', oid::regclass, relkind, relpersistence, relrowsecurity,
                     relforcerowsecurity, relreplident, reloptions, relacl, relowner)
    FROM relations
    UNION ALL
    SELECT concat_ws(' ', 'column', attrelid::regclass, attnum, attname, atttypid::regtype,
                     atttypmod, attnotnull, attidentity, attgenerated, attcollation,
                     (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
                      WHERE adrelid = attrelid AND adnum = attnum))
    FROM pg_attribute WHERE attrelid IN (SELECT oid FROM relations) AND attnum > 0
    UNION ALL
    SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), indisvalid) FROM pg_index
    WHERE indrelid IN (SELECT oid FROM relations)
    UNION ALL
    SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT concat_ws(' ', 'trigger', pg_get_triggerdef(oid), tgenabled) FROM pg_trigger
    WHERE tgrelid IN (SELECT oid FROM relations) AND NOT tgisinternal
    UNION ALL
    SELECT concat_ws(' ', 'rule', pg_get_ruledef(oid)) FROM pg_rewrite
    WHERE ev_class IN (SELECT oid FROM relations)
    UNION ALL
    SELECT concat_ws(' ', 'policy', polrelid::regclass, polname) FROM pg_policy
    UNION ALL
    SELECT concat_ws(' ', 'function', oid::regprocedure) FROM pg_proc
    WHERE pronamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT concat_ws(' ', 'setting', setrole, setconfig) FROM pg_db_role_setting
    WHERE setdatabase IN
        (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL
    SELECT concat_ws(' ', 'extension', extname) FROM pg_extension
)
SELECT string_agg(line, E'\\n' ORDER BY line) FROM lines
"""


class PostgreSQLScratch(Scratch):
    """A database on PostgreSQL."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.nothing = self._run(self._first_state())

    async def _first_state(self) -> str:
        conn = await self._connection()
        await self.wipe(conn)
        return await self.state(conn)

    async def state(self, conn: AsyncConnection) -> str:
        return str((await conn.exec_driver_sql(_STATE)).scalar_one())

    async def end_others(self, conn: AsyncConnection) -> None:
        await conn.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    async def delete_rows(self, conn: AsyncConnection) -> int:
        messages = (await conn.exec_driver_sql("DELETE FROM agent_messages")).rowcount
        sessions = (await conn.exec_driver_sql("DELETE FROM agent_sessions")).rowcount
        await conn.exec_driver_sql(
            "SELECT setval(pg_get_serial_sequence('agent_messages', 'id'), 1, false)"
        )
        return messages + sessions

    async def wipe(self, conn: AsyncConnection) -> None:
        schemas = await conn.exec_driver_sql(
            "SELECT quote_ident(nspname) FROM pg_namespace "
            "WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'"
        )
        for (schema,) in schemas.all():
            await conn.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
        await conn.exec_driver_sql("CREATE SCHEMA public")
        await conn.exec_driver_sql(f"ALTER DATABASE {self.name} RESET ALL")


_AUTO_INCREMENT = re.compile(r" AUTO_INCREMENT=\d+")


class MySQLScratch(Scratch):
    """A database on MySQL or MariaDB."""

    nothing = ()

    async def state(self, conn: AsyncConnection) -> tuple[str, ...]:
        names = (await conn.exec_driver_sql("SHOW TABLES")).scalars().all()
        found = []
        for name in names:
            shown = (await conn.exec_driver_sql(f"SHOW CREATE TABLE `{name}`")).one()[1]
            found.append(_AUTO_INCREMENT.sub("", shown))
        triggers = (await conn.exec_driver_sql("SHOW TRIGGERS")).all()
        return *found, *map(str, triggers)

    async def end_others(self, conn: AsyncConnection) -> None:
        others = await conn.exec_driver_sql(
            "SELECT id FROM information_schema.processlist "
            "WHERE db = database() AND id <> connection_id()"
        )
        for (number,) in others.all():
            with contextlib.suppress(DBAPIError):  # it has ended by itself
                await conn.exec_driver_sql(f"KILL CONNECTION {number}")

    async def delete_rows(self, conn: AsyncConnection) -> int:
        messages = (await conn.exec_driver_sql("DELETE FROM agent_messages")).rowcount
        sessions = (await conn.exec_driver_sql("DELETE FROM agent_sessions")).rowcount
        await conn.exec_driver_sql("ALTER TABLE agent_messages AUTO_INCREMENT = 1")
        return messages + sessions

    async def wipe(self, conn: AsyncConnection) -> None:
        await conn.exec_driver_sql("SET lock_wait_timeout = 20")
        await conn.exec_driver_sql(f"DROP DATABASE {self.name}")
        await conn.exec_driver_sql(f"CREATE DATABASE {self.name}")
        await conn.exec_driver_sql(f"USE {self.name}")
