"""What takes long is encoded and decoded in a thread, and the event loop goes on."""

import asyncio
import threading

import pytest

from histories import n
from strongroom import Codec, EncodeError, JsonSerializer, Key, Keyring
from strongroom.codec.row_codec import RowCodec
from strongroom.store.store import core_of

on_sqlite = pytest.mark.databases("sqlite-file", column_types=("text",))

LARGE = "x" * 300_000


class Recording(JsonSerializer):
    """Notes the thread of each call."""

    def dumps(self, item):
        if item == "refused":
            raise EncodeError("refused")
        self.threads.append(threading.current_thread())
        return super().dumps(item)

    def loads(self, data):
        self.threads.append(threading.current_thread())
        return super().loads(data)


@pytest.fixture
def threads(monkeypatch):
    calls = []
    monkeypatch.setattr(Recording, "threads", calls, raising=False)
    # Some codecs read many bare rows in one call; these go one by one.
    monkeypatch.setattr(Recording, "loads_many", None, raising=False)
    return calls


def in_the_loops_thread(threads):
    return {thread is threading.main_thread() for thread in threads}


LARGE_ITEMS = [
    LARGE,
    {"role": "user", "content": LARGE},
    {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"text": LARGE}]},
]


@on_sqlite
@pytest.mark.parametrize("item", LARGE_ITEMS, ids=["text", "content", "parts"])
async def test_a_large_item_is_encoded_and_decoded_in_a_thread(database, threads, item):
    session = database.session(codec=Codec(Recording()))
    await session.add_items([item])
    assert in_the_loops_thread(threads) == {False}
    threads.clear()
    assert await session.get_items() == [item]
    assert in_the_loops_thread(threads) == {False}


@on_sqlite
async def test_small_items_stay_in_the_loops_thread(database, threads):
    session = database.session(codec=Codec(Recording()))
    await session.add_items([{"role": "user", "content": "hello"}])
    await session.get_items()
    assert in_the_loops_thread(threads) == {True}


@on_sqlite
async def test_a_long_batch_goes_on_in_a_thread(database, threads):
    items = [{"role": "user", "content": f"{k}" * 20} for k in range(20_000)]
    session = database.session(codec=Codec(Recording()))
    await session.add_items(items)
    assert in_the_loops_thread(threads) == {True, False}
    assert await session.get_items() == items
    threads.clear()
    assert [item async for item in session.iter_items(10_000)] == items
    assert in_the_loops_thread(threads) == {True, False}


async def test_batches_of_mixed_sizes_come_back_in_order(database):
    items = [*n(1, 2), {"text": LARGE}, *n(3), {"text": LARGE * 5}, *n(*range(500))]
    for spec in ("json", "orjson+aesgcm"):
        keys = Keyring(Key.generate()) if "+" in spec else None
        session = database.session(spec, codec=spec, keys=keys)
        await session.add_items(items)
        assert await session.get_items() == items
        assert await session.get_items(503) == items[-503:]


@on_sqlite
async def test_an_item_that_is_refused_in_a_thread_stops_the_whole_batch(database, threads):
    session = database.session(codec=Codec(Recording()))
    with pytest.raises(EncodeError, match="refused") as caught:
        await session.add_items([LARGE, "refused"])
    assert in_the_loops_thread(threads) == {False}
    assert caught.value.session_id == "s"
    assert await session.get_items() == []


@on_sqlite
async def test_the_event_loop_turns_while_a_batch_is_encoded_and_decoded(database, threads):
    items = [{"role": "user", "content": f"{k} " + "x" * 5000} for k in range(4000)]
    session = database.session(codec=Codec(Recording()))
    store = database.store(codec=Codec(Recording()))
    turns = 0

    async def turn():
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    await session.get_items()
    turning = asyncio.create_task(turn())
    core = core_of(store)
    values = await core.encode(core.row_codec("s"), items)
    assert turns > 1
    turns = 0
    assert await core.decode(core.row_codec("s"), values) == items
    assert turns > 1
    turning.cancel()


@on_sqlite
@pytest.mark.parametrize(("spec", "most"), [("json", 64 * 1024), ("json+zlib", 4 * 1024)])
async def test_the_clock_is_looked_at_between_small_parts(database, monkeypatch, spec, most):
    items = [{"role": "user", "content": f"{k} " * 300} for k in range(1000)]
    session = database.session(codec=spec)
    await session.add_items(items)
    sizes = []
    decode_many = RowCodec.decode_many
    monkeypatch.setattr(
        RowCodec,
        "decode_many",
        lambda self, rows: sizes.append(sum(map(len, rows))) or decode_many(self, rows),
    )
    monkeypatch.setattr("strongroom.core.offload._INLINE_SECONDS", 60)
    assert await session.get_items() == items
    assert most / 2 < max(sizes) <= most
