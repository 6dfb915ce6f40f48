"""Every contender beside every other, operation by operation, in one run and in turn.

A round lets each contender do the operation once, in an order that is shuffled anew for each round:
what the machine does meanwhile, and what one leaves to the next, happens to all. Times are in
seconds.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import corpus
from contenders import AGENTS, ENCRYPTED, contenders, spread_times
from servers import Site

SHAPE = "chat"
_WARM_UP = 3
OTHERS = 200
"""How many sessions the tables have besides: a planner treats a table of four differently."""


@dataclass(frozen=True)
class Operation:
    """What is timed; ``count`` is how many items it concerns."""

    name: str
    count: int
    run: Callable[[Prepared], Awaitable[Any]]

    @property
    def bulk(self) -> bool:
        """Whether the items weigh more than the call."""
        return self.count >= 1000


class Prepared:
    """A contender with its sessions filled: as many rows for each as for the others."""

    def __init__(self, contender: Any, rounds: int, others: int = OTHERS) -> None:
        self.contender = contender
        self.rounds = rounds + _WARM_UP
        self.others = others
        self.number = itertools.count()

    async def fill(self) -> None:
        session = self.contender.session
        for number in range(self.others):
            await session(f"other {number}").add_items(corpus.items(SHAPE, 27))
        self.appended = session("appended")
        self.short, self.long, self.popped = session("27"), session("1000"), session("popped")
        await self.appended.add_items(corpus.items(SHAPE, 27))
        await self.short.add_items(corpus.items(SHAPE, 27))
        await self.long.add_items(corpus.items(SHAPE, 1000))
        await self.popped.add_items(corpus.items(SHAPE, self.rounds + 27))


async def _append(prepared: Prepared, count: int) -> None:
    await prepared.appended.add_items(corpus.items(SHAPE, count))


async def _first_write(prepared: Prepared) -> None:
    session = prepared.contender.session(f"new {next(prepared.number)}")
    await session.add_items(corpus.items(SHAPE, 1))


async def _request(prepared: Prepared, *, create_tables: bool) -> Any:
    # On MySQL openai-agents cannot make them, and takes the tables that it is given.
    return await prepared.contender.drop_in("27", create_tables=create_tables).get_items()


OPERATIONS = (
    Operation("append 1", 1, lambda p: _append(p, 1)),
    Operation("append 27", 27, lambda p: _append(p, 27)),
    Operation("append 1,000", 1000, lambda p: _append(p, 1000)),
    Operation("read 27", 27, lambda p: p.short.get_items()),
    Operation("read 1,000", 1000, lambda p: p.long.get_items()),
    Operation("last 20", 20, lambda p: p.long.get_items(20)),
    Operation("pop", 1, lambda p: p.popped.pop_item()),
    Operation("first write", 1, _first_write),
    Operation("request", 27, lambda p: _request(p, create_tables=True)),
    Operation("request, tables there", 27, lambda p: _request(p, create_tables=False)),
    Operation("request, a store", 27, lambda p: p.contender.session("27").get_items()),
)
"""``request`` makes a session object and reads, as a web application does for each request, by the
code of the examples in openai-agents' docs; with ``tables there`` the application has made them
before and says so. ``a store`` makes the session where there is one."""


async def compare(site: Site, rounds: int) -> dict[str, Any]:
    """Return what each contender took for each operation, and who was measured."""
    field = []
    try:
        for contender in contenders(site.name):
            url = await asyncio.to_thread(site.make_database)
            await contender.open(url)
            prepared = Prepared(contender, rounds)
            await prepared.fill()
            await spread_times(url)
            field.append(prepared)
        # What is there by now outlives the run: the collector need not walk it in the midst.
        gc.collect()
        gc.freeze()
        times = {}
        for operation in OPERATIONS:
            count = max(5, rounds // 8) if operation.bulk else rounds
            times[operation.name] = await in_turn(operation, field, count)
            _check(operation, times[operation.name], count)
    finally:
        gc.unfreeze()
        for prepared in field:
            await prepared.contender.close()
    return times


async def in_turn(
    operation: Operation, field: list[Prepared], rounds: int
) -> dict[str, list[float]]:
    """Return the times of an operation for each contender."""
    random_ = random.Random(operation.name)
    times: dict[str, list[float]] = {prepared.contender.name: [] for prepared in field}
    for number in range(rounds + _WARM_UP):
        for prepared in random_.sample(field, len(field)):
            begin = perf_counter()
            await operation.run(prepared)
            took = perf_counter() - begin
            if number >= _WARM_UP:
                times[prepared.contender.name].append(took)
        await asyncio.sleep(0)
    return times


def _check(operation: Operation, times: dict[str, list[float]], rounds: int) -> None:
    assert all(len(taken) == rounds for taken in times.values()), operation.name


# Figures ------------------------------------------------------------------------------------------


def summary(times: list[float]) -> dict[str, float]:
    """Return median and quartiles."""
    first, middle, third = statistics.quantiles(times, n=4, method="inclusive")
    return {"median": middle, "q1": first, "q3": third, "rounds": len(times)}


def ratio(others: list[float], ours: list[float]) -> tuple[float, float, float]:
    """Return the ratio of the medians, and the quartiles of the ratios round by round."""
    rounds = [other / our for other, our in zip(others, ours, strict=True)]
    first, _, third = statistics.quantiles(rounds, n=4, method="inclusive")
    return statistics.median(others) / statistics.median(ours), first, third


TARGETS = {
    # database, our codec, the peer: the figures to reach, in the order of OPERATIONS.
    ("SQLite", "orjson", AGENTS): (3, 3, 1.9, 1.7, 2, 1.8, 3, 6.5, 6),
    ("PostgreSQL", "orjson", AGENTS): (3, 2.7, 1.7, 2.7, 2.2, 2, 2, 8, 8),
    ("SQLite", "orjson+aesgcm", ENCRYPTED): (3, 3, 3, 2.2, 3.3, 2, 3, 6, 5.5),
    ("PostgreSQL", "orjson+fernet", ENCRYPTED): (3, 2.4, 1.6, 2, 1.5, 2, 2, 6, 4.7),
}
FLOOR_TARGETS = {"SQLite": (4, 1.8), "PostgreSQL": (1.5, 1.5)}
"""How many times the floor a small and a bulk operation may take."""

BULK = {operation.name for operation in OPERATIONS if operation.bulk}


def pairs_of(database: str) -> list[tuple[str, str, Sequence[float]]]:
    """Return our codec, the peer, and the figures to reach where there are some."""
    pairs = [
        (ours, peer, some) for (where, ours, peer), some in TARGETS.items() if where == database
    ]
    return pairs or [("orjson", AGENTS, ()), ("orjson+aesgcm", ENCRYPTED, ())]
