"""Many writers and readers at once, in one process."""

import asyncio
from itertools import groupby

import pytest

from histories import check_batches, n

pytestmark = [pytest.mark.partitioned, pytest.mark.text_on_servers]


async def test_two_hundred_pops_return_two_hundred_items(database):
    session = database.session()
    await session.add_items(n(*range(200)))
    store = database.store()
    popped = await asyncio.gather(*(store.session("s").pop_item() for _ in range(200)))
    assert sorted(item["n"] for item in popped) == list(range(200))
    assert await session.pop_item() is None


async def test_two_pops_of_one_row_give_it_to_one_caller(database):
    session, other = database.session(), database.session()
    for number in range(20):
        await session.add_items(n(number))
        popped = await asyncio.gather(session.pop_item(), other.pop_item())
        assert sorted(popped, key=bool) == [None, {"n": number}]


@pytest.mark.no_tables
async def test_two_first_writes_at_once_both_succeed(database):
    store = database.store()
    await asyncio.gather(store.session("s").add_items(n(1)), store.session("s").add_items(n(2)))
    assert sorted(item["n"] for item in await store.session("s").get_items()) == [1, 2]
    for number in range(20):
        one, two = store.session(f"s{number}"), store.session(f"s{number}")
        await asyncio.gather(one.add_items(n(1, 2)), two.add_items(n(3, 4)))
        assert await one.get_items() in (n(1, 2, 3, 4), n(3, 4, 1, 2))


async def test_two_hundred_tasks_of_all_kinds_leave_whole_batches(database):
    store = database.store()
    shared = store.session("shared")
    popped, reads = [], []

    async def act(k):
        own = store.session(f"own-{k % 20}")
        if k % 4 == 0:
            await shared.add_items([{"by": k, "batch": 0, "n": i} for i in range(3)])
        elif k % 4 == 1:
            await own.add_items(n(k))
        elif k % 4 == 2:
            reads.append(await shared.get_items())
        else:
            popped.append(await store.session("popped").pop_item())

    await store.session("popped").add_items(n(*range(50)))
    await asyncio.gather(*(act(k) for k in range(200)))
    check_batches(await shared.get_items(), range(0, 200, 4), batches=1)
    for read in reads:
        check_batches(read, {item["by"] for item in read}, batches=1)
    assert sorted(item["n"] for item in popped) == list(range(50))
    owned = [item["n"] for k in range(20) for item in await store.session(f"own-{k}").get_items()]
    assert sorted(owned) == list(range(1, 200, 4))


async def test_what_a_reader_has_seen_only_grows_at_the_end(database):
    store = database.store()
    await store.create_tables()
    writing = True

    async def poll():
        seen = []
        while writing:
            items = await store.session("s").get_items()
            assert items[: len(seen)] == seen
            seen = items

    async def write(name):
        for batch in range(8):
            await store.session("s").add_items(
                [{"by": name, "batch": batch, "n": i} for i in range(3)]
            )

    readers = [asyncio.create_task(poll()) for _ in range(3)]
    await asyncio.gather(*(write(name) for name in range(6)))
    writing = False
    await asyncio.gather(*readers)
    check_batches(await store.session("s").get_items(), range(6), batches=8)


async def test_a_replace_is_seen_whole(database):
    store = database.store()
    session = store.session("s")
    await session.add_items(n(*[0] * 5))
    writing = True

    async def poll():
        while writing:
            items = await store.session("s").get_items()
            assert len(items) == 5
            assert len({item["n"] for item in items}) == 1

    async def replace(number):
        for _ in range(5):
            await store.session("s").replace_items(n(*[number] * 5))

    readers = [asyncio.create_task(poll()) for _ in range(2)]
    await asyncio.gather(*(replace(number) for number in range(1, 5)))
    writing = False
    await asyncio.gather(*readers)
    assert len(await session.get_items()) == 5


async def test_clears_and_appends_at_once_leave_whole_batches(database):
    store = database.store()

    async def append(name):
        for batch in range(6):
            await store.session("s").add_items(
                [{"by": name, "batch": batch, "n": i} for i in range(3)]
            )

    async def clear():
        for _ in range(6):
            await store.session("s").clear_session()

    await asyncio.gather(*(append(name) for name in range(5)), clear(), clear())
    items = await store.session("s").get_items()
    for _, run in groupby(items, lambda item: (item["by"], item["batch"])):
        assert [item["n"] for item in run] == [0, 1, 2]
    counts = await database.execute(
        "SELECT count(*) FROM agent_messages m WHERE NOT EXISTS "
        "(SELECT 1 FROM agent_sessions s WHERE s.session_id = m.session_id)"
    )
    assert counts == [(0,)]
