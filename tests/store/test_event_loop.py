"""What takes long is encoded and decoded in a thread, and the event loop goes on."""

import asyncio
import threading
import traceback

import pytest

from histories import n
from strongroom import (
    Codec,
    EncodeError,
    JsonSerializer,
    Key,
    Keyring,
    MsgpackSerializer,
    OrjsonSerializer,
    PayloadError,
)
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
@pytest.mark.parametrize("spec", ["json", "json+zlib"])
async def test_the_clock_is_looked_at_between_small_parts(database, monkeypatch, spec):
    items = [{"role": "user", "content": f"{k} " * 300} for k in range(1000)]
    session = database.session(codec=spec)
    await session.add_items(items)
    sizes = []
    decode_many = RowCodec.decode_many

    def noting(self, rows, allowance):
        sizes.append(sum(map(len, rows)))
        return decode_many(self, rows, allowance)

    monkeypatch.setattr(RowCodec, "decode_many", noting)
    monkeypatch.setattr("strongroom.core.offload._INLINE_SECONDS", 60)
    monkeypatch.setattr("strongroom.core.offload._INLINE_PAYLOAD", 1 << 30)
    assert await session.get_items() == items
    assert 4 * 1024 < max(sizes) <= 16 * 1024


KEYS = Keyring(Key(bytes(32)))


@on_sqlite
@pytest.mark.parametrize("writer", ["json+zlib", "msgpack+zlib", "json+zlib+aesgcm"])
@pytest.mark.parametrize("reader", ["orjson+aesgcm", "orjson+zlib+aesgcm"])
async def test_a_small_row_of_a_large_item_is_parsed_in_a_thread(
    database, monkeypatch, reader, writer
):
    item = {"text": "a" * 3_000_000}
    keys = KEYS if writer.endswith("aesgcm") else None
    row = Codec.parse(writer, keys=keys).bind("s").encode_text(item)
    assert len(row) < 10_000
    session = database.session(codec=Codec.parse(reader, keys=KEYS, accept=("plaintext",)))
    await session.add_items(n(1))
    await database.put(row)
    threads = []
    for kind in (OrjsonSerializer, MsgpackSerializer):
        loads = kind.loads

        def noting(self, data, loads=loads):
            if len(data) > 1000:
                threads.append(threading.current_thread())
            return loads(self, data)

        monkeypatch.setattr(kind, "loads", noting)
    assert await session.get_items() == [*n(1), item]
    assert await session.get_items(1) == [item]
    assert in_the_loops_thread(threads) == {False}
    assert len(threads) == 2


@on_sqlite
@pytest.mark.parametrize("on_error", ["raise", "skip"])
async def test_one_call_does_not_decode_more_than_max_total(database, on_error):
    items = [{"text": f"{k:x>5000}"} for k in range(100)]
    bounds = {"max_size": 10_000, "max_values": 100, "max_total": 400_000}
    codec = Codec.parse("orjson+zlib+aesgcm", keys=KEYS, **bounds)
    session = database.session(codec=codec, on_error=on_error)
    await session.add_items(items)
    with pytest.raises(PayloadError, match=r"limit.*iter_items") as caught:
        await session.get_items()
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    for frame in shown.stack:
        assert frame.filename == __file__ or "xxxxx" not in repr(frame.locals)
    assert await session.get_items(50) == items[-50:]
    assert [item async for item in session.iter_items(50)] == items
