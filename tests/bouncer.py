"""A private PgBouncer in transaction mode, before a PostgreSQL of the tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import URL

from database_servers import MissingDatabaseError, directory, free_port, spawn

SERVERS = 2
"""How many connections to PostgreSQL all clients share."""

CONNECT_ARGS = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: "",
}
"""What docs/databases.md tells users to give asyncpg: each statement is prepared without a name."""


@contextlib.contextmanager
def pgbouncer(server: URL, **others: str) -> Iterator[URL]:
    """Start Debian's PgBouncer before a server; yields the URL that leads through it.

    The URL's user may come through, and others with their passwords. Skips the test, or fails it
    where databases are demanded, if there is none.
    """
    try:
        with _running({server.username: server.password, **others}, server) as url:
            yield url
    except MissingDatabaseError as error:
        if os.environ.get("STRONGROOM_REQUIRE_DATABASES") == "1":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@contextlib.contextmanager
def _running(passwords: dict[str | None, str | None], server: URL) -> Iterator[URL]:
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    program = shutil.which("pgbouncer", path=path)
    if program is None:
        raise MissingDatabaseError("no PgBouncer: install pgbouncer")
    with directory() as folder:
        port = free_port()
        settings, users = folder / "pgbouncer.ini", folder / "users"
        users.write_text(
            "".join(f'"{name}" "{password or ""}"\n' for name, password in passwords.items())
        )
        settings.write_text(
            f"[databases]\n* = host={server.host} port={server.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {users}\npool_mode = transaction\n"
            f"default_pool_size = {SERVERS}\nmax_client_conn = 300\nlog_connections = 0\n"
        )
        # It refuses to run as root.
        user = "nobody" if os.geteuid() == 0 else None
        folder.chmod(0o755)
        settings.chmod(0o644)
        users.chmod(0o644)
        process = spawn([program, str(settings)], folder / "log", signal.SIGTERM, user)
        try:
            _wait_for(port, process)
            yield server.set(host="127.0.0.1", port=port)
        finally:
            process.terminate()
            process.wait(20)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise MissingDatabaseError("PgBouncer does not answer") from error
            time.sleep(0.05)
        else:
            return
