"""Every operation of a session, on every database, with the codecs that applications choose from.

The same operations as in the side-by-side comparison, without the peers: for finding out what a
change to strongroom does. A call includes starting the event loop, some 20 microseconds.
"""

from __future__ import annotations

import asyncio

import pytest

from contenders import CODECS, Strongroom
from sidebyside import OPERATIONS, Prepared

ROUNDS = 20
BULK_ROUNDS = 5


@pytest.fixture(scope="session")
def prepared(site, loop):
    """Return a store, filled once, for each codec that is asked for."""
    made = {}

    def prepare(spec):
        if spec not in made:
            store = Strongroom(spec)
            loop.run_until_complete(store.open(site.make_database()))
            made[spec] = Prepared(store, rounds=500, others=20)
            loop.run_until_complete(made[spec].fill())
        return made[spec]

    yield prepare
    for one in made.values():
        loop.run_until_complete(one.contender.close())


@pytest.mark.parametrize("spec", CODECS)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_operation(benchmark, loop, site, prepared, operation, spec):
    benchmark.group = f"{site.name}: {operation.name}"
    store = prepared(spec)
    result = benchmark.pedantic(
        lambda: loop.run_until_complete(operation.run(store)),
        rounds=BULK_ROUNDS if operation.bulk else ROUNDS,
        warmup_rounds=0 if benchmark.disabled else 2,
    )
    if operation.name == "pop":
        assert result is not None
    elif result is not None:
        assert len(result) == operation.count
    assert not asyncio.all_tasks(loop)
