"""A cancelled call has happened whole or not at all, and leaves nothing behind."""

import asyncio
import contextlib

import pytest

from histories import n

MOST_STEPS = 400

on_all = pytest.mark.databases(column_types=("text",))


BEFORE, BATCH = n(*range(5)), n(10, 11, 12)


async def snapshot_and_replace(session):
    snapshot = await session._get_compaction_snapshot(3)
    return await snapshot.replace_suffix(1, BATCH)


async def iterate(session):
    return [item async for item in session.iter_items(2)]


# name: the operation, what it does to the history, whether the history is there before it
OPERATIONS = {
    "get_items": (lambda s: s.get_items(), BEFORE),
    "get_items with a limit": (lambda s: s.get_items(2), BEFORE),
    "iter_items": (iterate, BEFORE),
    "add_items": (lambda s: s.add_items(BATCH), BEFORE + BATCH),
    "pop_item": (lambda s: s.pop_item(), BEFORE[:-1]),
    "clear_session": (lambda s: s.clear_session(), []),
    "replace_items": (lambda s: s.replace_items(BATCH), BATCH),
    "compaction": (snapshot_and_replace, BEFORE[:3] + BATCH),
}


class CancelledAt:
    """Awaits a coroutine, and cancels the task at the given one of its suspensions."""

    def __init__(self, coroutine, step):
        self.coroutine, self.step, self.steps = coroutine, step, 0

    def __await__(self):
        advance, value = self.coroutine.send, None
        while True:
            try:
                waiting_for = advance(value)
            except StopIteration as stop:
                return stop.value
            self.steps += 1
            if self.steps == self.step:
                asyncio.current_task().cancel()
            try:
                advance, value = self.coroutine.send, (yield waiting_for)
            except BaseException as error:
                advance, value = self.coroutine.throw, error


async def at_its_suspension(operation, step):
    """Cancel at the given suspension; return whether the operation got that far."""
    driven = CancelledAt(operation, step)

    async def run():
        return await driven

    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.create_task(run())
    return driven.steps >= step


async def after_turns_of_the_loop(operation, turns):
    """Cancel once the loop has turned so often; return whether the operation took that long."""
    task = asyncio.create_task(operation)
    for _ in range(turns):
        if task.done():
            break
        await asyncio.sleep(0)
    cancelled = task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled():
        task.result()
    return cancelled


def turns():
    """Count up, in greater steps the longer it takes."""
    count = 0
    while True:
        yield count
        count += 1 + count // 8


def suspensions():
    """Count up from the first."""
    yield from range(1, MOST_STEPS)


WAYS = {
    "suspension": (at_its_suspension, suspensions),
    "turn": (after_turns_of_the_loop, turns),
}


def checked_out(engine):
    pool = engine.sync_engine.pool
    return pool.checkedout() if hasattr(pool, "checkedout") else 0


async def check_history(session, *possible):
    """Write, which waits for whatever still runs in the server, and then look."""
    await session.add_items(n(99))
    items = await session.get_items()
    assert items.pop() == {"n": 99}
    assert items in possible
    return items


@on_all
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_cancelled_operation_happens_whole_or_not_at_all(database, name, way):
    operation, after = OPERATIONS[name]
    cancel, counts = WAYS[way]
    engine = database.shared
    session = database.session()
    # Another engine sees the locks that a lost connection would have left behind.
    apart = database.session(
        engine=engine if database.name == "sqlite-memory" else database.engine()
    )
    await apart.get_items()
    for count in counts():
        await session.replace_items(BEFORE)
        went_so_far = await cancel(operation(database.session()), count)
        assert checked_out(engine) == 0
        async with asyncio.timeout(30):
            await check_history(apart, BEFORE, after)
        if not went_so_far:
            return
    pytest.fail("the operation never came to an end")


@pytest.mark.slow
@on_all
@pytest.mark.parametrize("way", WAYS)
async def test_a_cancelled_first_use_leaves_everything_usable(database, way):
    cancel, counts = WAYS[way]
    for count in counts():
        engine = database.engine()
        names = {"sessions_table": f"sessions{count}", "messages_table": f"messages{count}"}
        session = database.session(engine=engine, **names)
        went_so_far = await cancel(session.add_items(BATCH), count)
        assert checked_out(engine) == 0
        async with asyncio.timeout(30):
            await check_history(database.session(engine=engine, **names), [], BATCH)
        await engine.dispose()
        if not went_so_far:
            return
    pytest.fail("the operation never came to an end")


async def test_cancelling_some_of_many_tasks_loses_nothing_of_the_others(database):
    store = database.store()
    await store.create_tables()
    tasks = [
        asyncio.create_task(store.session("s").add_items([{"by": k, "n": i} for i in range(3)]))
        for k in range(60)
    ]
    for k, task in enumerate(tasks):
        if k % 3 == 0:
            for _ in range(k % 7):
                await asyncio.sleep(0)
            task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await store.session("s").add_items([])
    await check_done(store, results)


async def check_done(store, results):
    await store.session("s").add_items([{"by": "end", "n": 0}])
    items = await store.session("s").get_items()
    assert items.pop() == {"by": "end", "n": 0}
    found = {}
    for item in items:
        found.setdefault(item["by"], []).append(item["n"])
    assert all(numbers == [0, 1, 2] for numbers in found.values())
    for k, result in enumerate(results):
        assert result is None or isinstance(result, asyncio.CancelledError)
        if result is None:
            assert k in found
    assert checked_out(store.engine) == 0


async def test_a_pop_that_was_cancelled_while_it_waited_takes_nothing(database):
    session = database.session()
    await session.add_items(BEFORE)
    tasks = [asyncio.create_task(database.session().pop_item()) for _ in range(10)]
    for task in tasks[5:]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(item["n"] for item in results[:5]) == list(range(5))
    assert all(isinstance(result, asyncio.CancelledError) for result in results[5:])


async def test_iteration_that_is_left_early_leaves_the_pool_whole(database):
    session = database.session()
    await session.add_items(BEFORE)
    async for item in session.iter_items(2):
        assert item == BEFORE[0]
        break
    assert checked_out(database.shared) == 0
    assert await session.get_items() == BEFORE
