"""What a ledger costs: every operation with one and without, in turn, and eight writers at once.

pytest-benchmark groups what belongs together; the ratio of the medians is what to look at. In the
extra information of the contention benchmark is how many appends met another writer's head.
"""

from __future__ import annotations

import asyncio
import itertools

import pytest

import corpus
from strongroom import Key, Keyring, Ledger, SessionStore
from strongroom.history.head import HeadStore

KEYS, LEDGER = Keyring(Key.generate()), Ledger(Keyring(Key.generate()))
LONG = 1000
WRITERS, BATCHES = 8, 5
ledgers = pytest.mark.parametrize("ledger", [None, LEDGER], ids=["plain", "ledger"])
codecs = pytest.mark.parametrize("codec", ["orjson", "orjson+aesgcm"])

OPERATIONS = {
    "append 2": lambda store: store.session("short").add_items(corpus.items("chat", 2)),
    "append 100": lambda store: store.session("short").add_items(corpus.items("chat", 100)),
    "read 1,000": lambda store: store.session("long").get_items(),
    "last 20 of 1,000": lambda store: store.session("long").get_items(20),
    "append 1 and pop": lambda store: _append_and_pop(store.session("popped")),
}


async def _append_and_pop(session):
    await session.add_items(corpus.items("chat", 1))
    await session.pop_item()


@pytest.fixture(scope="module")
def stores(site, loop):
    """Return a filled store for a codec, with a ledger or without, made once."""
    made = {}

    def make(codec, ledger, number=0):
        key = (codec, ledger is None, number)
        if key not in made:
            keys = KEYS if codec.endswith("aesgcm") else None
            url = made[(*key[:2], 0)].engine.url if number else site.make_database()
            made[key] = SessionStore.from_url(
                url, codec=codec, keys=keys, ledger=ledger, create_tables=True
            )
            if not number:
                items = corpus.items("chat", LONG)
                loop.run_until_complete(made[key].session("long").add_items(items))
        return made[key]

    yield make
    for store in made.values():
        loop.run_until_complete(store.aclose())


@codecs
@ledgers
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(benchmark, loop, site, stores, name, ledger, codec):
    benchmark.group = f"{site.name}, {codec}: {name}"
    store, operation = stores(codec, ledger), OPERATIONS[name]
    benchmark.pedantic(
        lambda: loop.run_until_complete(operation(store)),
        rounds=30,
        warmup_rounds=0 if benchmark.disabled else 3,
    )


@ledgers
def test_eight_writers_of_one_session(benchmark, loop, site, stores, ledger, monkeypatch):
    benchmark.group = f"{site.name}: {WRITERS} stores append {BATCHES} batches each to one session"
    swaps = {True: 0, False: 0}
    swap = HeadStore.swap

    async def counted(self, *args, **kwargs):
        swapped = await swap(self, *args, **kwargs)
        swaps[swapped] += 1
        return swapped

    monkeypatch.setattr(HeadStore, "swap", counted)
    stores("orjson", ledger)
    writers = [stores("orjson", ledger, number) for number in range(1, WRITERS + 1)]
    rounds = itertools.count()

    async def write():
        session_id = f"contended {next(rounds)}"

        async def one(store):
            for _ in range(BATCHES):
                await store.session(session_id).add_items(corpus.items("chat", 2))

        await asyncio.gather(*map(one, writers))
        items = await writers[0].session(session_id).get_items()
        assert len(items) == WRITERS * BATCHES * 2

    benchmark.pedantic(lambda: loop.run_until_complete(write()), rounds=5)
    if ledger is not None:
        benchmark.extra_info["conflicts per append"] = round(swaps[False] / swaps[True], 2)
