"""Tiers, a clean database for every test that asks for one, and an event loop for async tests."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / "sessions"))

import database_servers
import tiers
from database_servers import MissingDatabaseError, Server
from databases import DRIVERS, Database, in_this_tier, pairs, partitioned_tables
from scratch import MySQLScratch, PostgreSQLScratch, Scratch

WATCHDOG_SECONDS = {"fast": 300, "full": 300, "long": 7200}
NONE_IN_THIS_TIER = "none in this tier"

MARKERS = (
    "databases(*names, column_types=('text', 'binary')): run on these databases only",
    "partitioned: where it runs on PostgreSQL, run on partitioned tables too; False: do not",
    "text_on_servers: not about values, so columns of bytes are tried on SQLite only",
    "no_tables: begin with a database that has no tables",
    "representatives(*names, **values): only these values, on all but SQLite files or on these",
    "xdist_group(name): of pytest-xdist, which need not be there",
    "slow: not in the fast tier",
    "smoke: a short test of each database, for other Pythons and the oldest dependencies",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the tier and the databases from the command line."""
    group = parser.getgroup("strongroom")
    group.addoption(
        "--tier",
        choices=tiers.TIERS,
        default=tiers.current(),
        help=f"which tests to run (default: {tiers.VARIABLE}, or else fast)",
    )
    group.addoption(
        "--databases",
        default=os.environ.get("STRONGROOM_TEST_DATABASES", ",".join(DRIVERS)),
        help=f"run on these databases only, out of {','.join(DRIVERS)}",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose the tier, and register our markers."""
    tier = config.getoption("--tier")
    if tier not in tiers.TIERS:  # argparse does not look at defaults
        raise pytest.UsageError(f"{tiers.VARIABLE}={tier}: it is one of {', '.join(tiers.TIERS)}")
    tiers.choose(tier)
    memory = database_servers.memory()
    if memory is not None and tier != "long":
        # SQLite commits there in a hundredth of the time; the long tier has it wait for the disk.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))
    unknown = set(config.getoption("--databases").split(",")) - set(DRIVERS)
    if unknown:
        raise pytest.UsageError(f"--databases: no such database: {', '.join(sorted(unknown))}")
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    if sqlalchemy.__version__ < "2.1":
        # It leaves connections whose opening was cancelled, or whose server died, to the garbage
        # collector, which may come upon them during any test.
        config.addinivalue_line("filterwarnings", "ignore::ResourceWarning")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for a database on every one, or on those that its marker names."""
    if "database" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("databases")
    chosen = metafunc.config.getoption("--databases").split(",")
    wanted = pairs(marker.args, **marker.kwargs) if marker else pairs()
    if metafunc.definition.get_closest_marker("text_on_servers"):
        wanted = [pair for pair in wanted if pair[1] == "text" or not DRIVERS[pair[0]].server]
    partitioned = metafunc.definition.get_closest_marker("partitioned")
    if partitioned and partitioned.args != (False,) and ("postgresql", "text") in wanted:
        wanted.append(("postgresql-partitioned", "text"))
    found = in_this_tier([pair for pair in wanted if pair[0] in chosen])
    ids = ["-".join(pair) for pair in found]
    metafunc.parametrize(
        "database", found or [NONE_IN_THIS_TIER], indirect=True, ids=ids or [NONE_IN_THIS_TIER]
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the tier leaves out."""
    left_out, kept = [], []
    for item in items:
        (left_out if _is_left_out(item) else kept).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def _is_left_out(item: pytest.Item) -> bool:
    if tiers.current() == "fast" and item.get_closest_marker("slow"):
        return True
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    database = parameters.get("database", NONE_IN_THIS_TIER)
    if database == NONE_IN_THIS_TIER:
        return "database" in parameters
    return any(
        parameters[name] not in values
        for marker in item.iter_markers("representatives")
        if (database[0] in marker.args if marker.args else database[0] != "sqlite-file")
        for name, values in marker.kwargs.items()
    )


@pytest.fixture
def database(
    request: pytest.FixtureRequest, tmp_path: Path, scratch: Callable[[str, str], Scratch]
) -> Iterator[Database]:
    """Return a clean database; async tests close what they opened on it in their own loop."""
    name, column_type = request.param
    driver = DRIVERS[name]
    if driver.server:
        ours = scratch(name, column_type)
        ours.clean(tables=request.node.get_closest_marker("no_tables") is None)
        yield Database(name, ours.url.set(drivername=driver.url), column_type)
    else:
        place = tmp_path / "test.db" if name == "sqlite-file" else ":memory:"
        yield Database(name, sqlalchemy.make_url(f"{driver.url}:///{place}"), column_type)


@pytest.fixture(scope="session")
def scratch(request: pytest.FixtureRequest) -> Iterator[Callable[[str, str], Scratch]]:
    """Return what finds the database of our own for a driver and a column type, or makes it."""
    made: dict[tuple[str, str, bool], Scratch] = {}

    def find(name: str, column_type: str) -> Scratch:
        driver = DRIVERS[name]
        key = (driver.server, column_type, driver.partitioned)
        if key not in made:
            server: Server = request.getfixturevalue(f"{driver.server}_server")
            kind = {"postgresql": PostgreSQLScratch, "mysql": MySQLScratch}[driver.server]
            layout = partitioned_tables() if driver.partitioned else ()
            made[key] = kind(server, column_type, layout)
        return made[key]

    yield find
    for ours in made.values():
        ours.drop()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """Return a running PostgreSQL."""
    yield from _serve("postgresql")


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[Server]:
    """Return a running MySQL or MariaDB."""
    yield from _serve("mysql")


def _serve(kind: str) -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(getattr(database_servers, kind)())
        except MissingDatabaseError as error:
            if os.environ.get("STRONGROOM_REQUIRE_DATABASES") == "1":
                pytest.fail(str(error), pytrace=False)
            pytest.skip(str(error))
        yield server


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
        async with asyncio.timeout(WATCHDOG_SECONDS[tiers.current()]):
            await item.obj(**{name: item.funcargs[name] for name in names})
    finally:
        for database in opened:
            await database.aclose()
