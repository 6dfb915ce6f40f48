"""Work over a whole store, in rows a second, and what a ledger adds to each operation."""

from __future__ import annotations

import asyncio
import gc
from time import perf_counter
from typing import Any

import corpus
import sidebyside
from contenders import KEYS, Strongroom, execute
from servers import Site
from sidebyside import Prepared
from strongroom import Codec, Key, Keyring, Ledger, SessionStore, maintenance
from strongroom.history.head import HeadStore

LINES_OF_A_SESSION = 100
LEDGER = Ledger(Keyring(Key.generate()))
WRITERS, BATCHES = 8, 10
_LONGER = {"mysql": "concat(message_data, ' ')"}


async def throughput(site: Site, rows: int) -> dict[str, float]:
    """Return how many rows a second an UPDATE takes by itself, and each work on a whole store."""
    url = await asyncio.to_thread(site.make_database)
    sealed = Codec.parse("orjson+aesgcm", keys=KEYS, accept=("plaintext",))
    figures = {}

    async def timed(name: str, work: Any) -> None:
        begin = perf_counter()
        await work
        figures[name] = rows / (perf_counter() - begin)

    async with (
        SessionStore.from_url(url, create_tables=True, codec="orjson") as plain,
        SessionStore.from_url(url, codec=sealed) as store,
        SessionStore.from_url(
            await asyncio.to_thread(site.make_database),
            create_tables=True,
            codec="msgpack+aesgcm",
            keys=KEYS,
            column_type="binary",
        ) as target,
    ):
        items = corpus.items(sidebyside.SHAPE, LINES_OF_A_SESSION)
        for number in range(rows // LINES_OF_A_SESSION):
            await plain.session(f"s{number}").add_items(items)
        longer = _LONGER.get(url.get_backend_name(), "message_data || ' '")
        await timed("UPDATE", execute(url, f"UPDATE agent_messages SET message_data = {longer}"))
        await timed("recode", maintenance.recode(store))
        await timed("verify", maintenance.verify(store))
        await timed("copy", maintenance.copy(store, target))
    return figures


# A ledger -----------------------------------------------------------------------------------------


class Ledgered(Strongroom):
    """A store whose sessions have a ledger."""

    def __init__(self, spec: str) -> None:
        super().__init__(spec)
        self.name = f"{spec}, ledger"

    def options(self) -> dict[str, Any]:
        """Return what the store gets beside its codec."""
        return {"ledger": LEDGER}


OPERATIONS = ("append 1", "append 27", "read 27", "read 1,000", "last 20", "pop", "first write")
CODECS = ("orjson", "orjson+aesgcm")


async def ledger(site: Site, rounds: int) -> dict[str, Any]:
    """Return what operations took with a ledger and without, in turn, and how writers conflict."""
    field = []
    times = {}
    try:
        for contender in [kind(codec) for codec in CODECS for kind in (Strongroom, Ledgered)]:
            await contender.open(await asyncio.to_thread(site.make_database))
            prepared = Prepared(contender, rounds)
            await prepared.fill()
            field.append(prepared)
        gc.collect()
        gc.freeze()
        for operation in sidebyside.OPERATIONS:
            if operation.name in OPERATIONS:
                times[operation.name] = await sidebyside.in_turn(operation, field, rounds)
    finally:
        gc.unfreeze()
        for prepared in field:
            await prepared.contender.close()
    return {"times": times, "conflicts": await _conflicts(site)}


async def _conflicts(site: Site) -> float:
    """Return how often an append to one session meets the head of another writer."""
    url = await asyncio.to_thread(site.make_database)
    swaps = {True: 0, False: 0}
    swap = HeadStore.swap

    async def counted(self: HeadStore, *arguments: Any, **options: Any) -> bool:
        swapped = await swap(self, *arguments, **options)
        swaps[swapped] += 1
        return swapped

    stores = [
        SessionStore.from_url(url, create_tables=True, codec="orjson", ledger=LEDGER)
        for _ in range(WRITERS)
    ]

    async def write(store: SessionStore) -> None:
        for _ in range(BATCHES):
            await store.session("contended").add_items(corpus.items(sidebyside.SHAPE, 2))

    HeadStore.swap = counted  # type: ignore[method-assign]  # to count
    try:
        await asyncio.gather(*map(write, stores))
    finally:
        HeadStore.swap = swap  # type: ignore[method-assign]  # as it was
        for store in stores:
            await store.aclose()
    return swaps[False] / swaps[True]
