"""Databases, an event loop and stores for the suites; a missing database skips what needs it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import servers
from servers import Site, database_servers


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Return the loop that everything async runs in."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


def _site(name: str) -> Iterator[Site]:
    try:
        with servers.site(name) as site:
            yield site
    except database_servers.MissingDatabaseError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session", params=servers.DATABASES)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Return a running database."""
    yield from _site(request.param)
