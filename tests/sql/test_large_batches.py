"""Batches of many megabytes on PostgreSQL: several statements, one transaction."""

import asyncio

import pytest
from sqlalchemy import event

from histories import n

pytestmark = pytest.mark.databases("postgresql")

MEGABYTES = 10


def large(by):
    return [{"by": by, "n": number, "text": "x" * 2**18} for number in range(4 * MEGABYTES)]


@pytest.mark.parametrize("transactions", [False, True], ids=["", "transactions"])
async def test_a_large_batch_is_divided_and_is_whole_or_absent(database, transactions):
    engine = database.engine()
    session = database.store(engine=engine, transactions=transactions).session("s")
    await session.add_items(n(0))
    statements, fails = [], False

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def note(*arguments):
        statements.append(arguments[2])
        if fails and len(statements) == 2:
            raise RuntimeError("in the middle")

    batch = large("a")
    await session.add_items(batch)
    assert len(statements) == 3
    assert await session.get_items() == [*n(0), *batch]
    fails = True
    statements.clear()
    with pytest.raises(RuntimeError, match="in the middle"):
        await session.add_items(batch)
    fails = False
    assert len(await session.get_items()) == 1 + len(batch)
    assert engine.sync_engine.pool.checkedout() == 0
    await session.add_items(n(9))
    assert await session.get_items(1) == n(9)


async def test_large_batches_do_not_interleave(database):
    sessions = [database.session(engine=database.engine()) for _ in range(3)]
    await sessions[0].add_items(n(0))
    await asyncio.gather(*(session.add_items(large(k)) for k, session in enumerate(sessions)))
    items = await sessions[0].get_items()
    assert items[0] == n(0)[0]
    rest = items[1:]
    size = len(large(0))
    order = [rest[start]["by"] for start in range(0, len(rest), size)]
    assert sorted(order) == [0, 1, 2]
    assert rest == [item for by in order for item in large(by)]
