"""Databases for every test that asks for one, and an event loop for tests that are async."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / "sessions"))

import databases
from databases import COLUMN_TYPES, DRIVERS, Database, MissingDatabaseError, Server

WATCHDOG_SECONDS = 300


def pytest_configure(config: pytest.Config) -> None:
    """Register our marker."""
    config.addinivalue_line(
        "markers",
        "databases(*names, column_types=('text', 'binary')): run on these databases only",
    )
    if sqlalchemy.__version__ < "2.1":
        # It leaves connections whose opening was cancelled, or whose server died, to the garbage
        # collector, which may come upon them during any test.
        config.addinivalue_line("filterwarnings", "ignore::ResourceWarning")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for a database on every one, or on those that its marker names."""
    if "database" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("databases")
    chosen = os.environ.get("STRONGROOM_TEST_DATABASES", ",".join(DRIVERS)).split(",")
    names = [name for name in (marker and marker.args) or DRIVERS if name in chosen]
    column_types = marker.kwargs.get("column_types", COLUMN_TYPES) if marker else COLUMN_TYPES
    pairs = [(name, column_type) for name in names for column_type in column_types]
    metafunc.parametrize("database", pairs, indirect=True, ids=["-".join(pair) for pair in pairs])


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Return a clean database; async tests close what they opened on it in their own loop."""
    name, column_type = request.param
    driver = DRIVERS[name]
    if name == "sqlite-file":
        yield Database(name, _url(f"{driver}:///{tmp_path / 'test.db'}"), column_type)
    elif name == "sqlite-memory":
        yield Database(name, _url(f"{driver}:///:memory:"), column_type)
    else:
        kind = name.partition("-")[0]
        server, scratch_name = request.getfixturevalue(f"{kind}_scratch")
        _empty(kind, server, scratch_name)
        if kind == "postgresql" and os.environ.get("STRONGROOM_TEST_PARTITIONED") == "1":
            data = "TEXT" if column_type == "text" else "BYTEA"
            made = [sql.replace("TEXT", data) for sql in databases.partitioned_tables()]
            server.sql(*made, database=scratch_name)
        url = server.admin.set(drivername=driver, database=scratch_name)
        yield Database(name, url, column_type)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """Return a running PostgreSQL."""
    yield from _serve("postgresql")


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[Server]:
    """Return a running MySQL or MariaDB."""
    yield from _serve("mysql")


@pytest.fixture(scope="session")
def postgresql_scratch(postgresql_server: Server) -> Iterator[tuple[Server, str]]:
    """Return the server and a database of our own on it."""
    yield from _scratch(postgresql_server, "DROP DATABASE {} WITH (FORCE)")


@pytest.fixture(scope="session")
def mysql_scratch(mysql_server: Server) -> Iterator[tuple[Server, str]]:
    """Return the server and a database of our own on it."""
    yield from _scratch(mysql_server, "DROP DATABASE {}")


def _serve(kind: str) -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(getattr(databases, kind)())
        except MissingDatabaseError as error:
            if os.environ.get("STRONGROOM_REQUIRE_DATABASES") == "1":
                pytest.fail(str(error), pytrace=False)
            pytest.skip(str(error))
        yield server


def _scratch(server: Server, drop: str) -> Iterator[tuple[Server, str]]:
    name = f"strongroom_{uuid.uuid4().hex[:12]}"
    server.sql(f"CREATE DATABASE {name}")
    yield server, name
    with contextlib.suppress(Exception):  # a test of faults may have left the server down
        server.sql(drop.format(name))


def _empty(kind: str, server: Server, name: str) -> None:
    """Leave nothing of an earlier test, not even its connections."""
    if kind == "mysql":
        server.sql("SET lock_wait_timeout = 20", f"DROP DATABASE {name}", f"CREATE DATABASE {name}")
        return
    server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        "DROP SCHEMA public CASCADE",
        "CREATE SCHEMA public",
        database=name,
    )


def _url(text: str) -> databases.URL:
    return databases.make_url(text)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    asyncio.run(_run(pyfuncitem))
    return True


async def _run(item: pytest.Function) -> None:
    names = item._fixtureinfo.argnames
    opened = [value for value in item.funcargs.values() if isinstance(value, Database)]
    try:
        async with asyncio.timeout(WATCHDOG_SECONDS):
            await item.obj(**{name: item.funcargs[name] for name in names})
    finally:
        for database in opened:
            await database.aclose()
