"""A database that is not on this machine: a TCP proxy on loopback that adds a delay each way.

The proxy is a process of its own. It passes on each piece of data a fixed time after it came, in
order, without Nagle's algorithm, and counts round trips: how often a client speaks after a server
has. Its event loop waits by ``select``, to the microsecond; ``epoll`` waits whole milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import selectors
import statistics
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from time import perf_counter
from typing import Any

import corpus
from contenders import AGENTS, ENCRYPTED, contenders
from floors import FLOOR, PostgreSQLFloor
from servers import Site
from sidebyside import SHAPE, ratio

DELAY = 0.001
CODECS = ("orjson", "orjson+fernet")
TARGETS = {"append 1": 4.5, "first write": 8, "read 27": 2.7, "pop": 1.8}


@dataclass(frozen=True)
class Effort:
    """With how many sessions at once, in how many rounds, and how long a turn in a round is."""

    concurrency: tuple[int, ...] = (1, 8, 32)
    rounds: int = 4
    seconds: float = 0.25


@dataclass
class Proxy:
    """A running proxy; ``trips`` counts round trips."""

    port: int
    _trips: Synchronized[int]

    @property
    def trips(self) -> int:
        return self._trips.value


@contextlib.contextmanager
def proxy(host: str, port: int, delay: float = DELAY) -> Iterator[Proxy]:
    """Run a proxy to a server; it ends with the block."""
    context = multiprocessing.get_context("spawn")
    trips = context.Value("q", 0)
    listening, ready = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(host, port, delay, trips, ready), daemon=True)
    process.start()
    try:
        yield Proxy(listening.recv(), trips)
    finally:
        process.terminate()
        process.join()


def _run(host: str, port: int, delay: float, trips: Any, ready: Any) -> None:
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    serve = loop.create_server(lambda: _Client(host, port, delay, trips), "127.0.0.1", 0)
    server = loop.run_until_complete(serve)
    ready.send(server.sockets[0].getsockname()[1])
    loop.run_forever()


class _Side(asyncio.Protocol):
    """One end of a connection, which passes on what it receives to the other end, later."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None
        self.waiting: deque[bytes | None] = deque()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._pass_later(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._pass_later(None)

    def _pass_later(self, data: bytes | None) -> None:
        self.waiting.append(data)
        asyncio.get_running_loop().call_later(self.delay, self._pass)

    def _pass(self) -> None:
        data = self.waiting.popleft()
        other = self.other and self.other.transport
        if other is None:
            return
        if data is None:
            other.close()
        elif not other.is_closing():
            other.write(data)


class _Client(_Side):
    """The client's end; it makes the connection to the server."""

    def __init__(self, host: str, port: int, delay: float, trips: Any) -> None:
        super().__init__(delay)
        self.address = (host, port)
        self.trips = trips
        self.early: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.task = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, server = await loop.create_connection(lambda: _Server(self.delay), *self.address)
        server.other, self.other = self, server
        for data in self.early:
            self.data_received(data)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self.early.append(data)
            return
        if self.other.spoke:
            self.trips.value += 1
            self.other.spoke = False
        self._pass_later(data)


class _Server(_Side):
    """The server's end."""

    spoke = True

    def data_received(self, data: bytes) -> None:
        self.spoke = True
        self._pass_later(data)


# What is measured ---------------------------------------------------------------------------------


class Load:
    """Sessions of one contender that do the same operation, each as fast as it can."""

    def __init__(self, contender: Any, sessions: int) -> None:
        self.contender = contender
        self.count = sessions
        self.number = 0
        self.sessions: list[dict[str, Any]] = []

    async def fill(self) -> None:
        for key in range(self.count):
            made = {kind: self.contender.session(f"{kind} {key}") for kind in TARGETS}
            self.sessions.append(made)
            await made["read 27"].add_items(corpus.items(SHAPE, 27))

    async def operate(self, name: str, key: int) -> None:
        session = self.sessions[key][name]
        if name == "append 1":
            await session.add_items(corpus.items(SHAPE, 1))
        elif name == "read 27":
            await session.get_items()
        elif name == "pop":
            await session.pop_item()
        else:
            self.number += 1
            new = self.contender.session(f"new {self.number}")
            await new.add_items(corpus.items(SHAPE, 1))

    async def before(self, name: str, concurrency: int, seconds: float) -> None:
        """Give pops enough to take."""
        if name == "pop":
            count = int(seconds * 400) + 20
            for key in range(concurrency):
                await self.sessions[key]["pop"].add_items(corpus.items(SHAPE, count))

    async def run(self, name: str, concurrency: int, seconds: float) -> tuple[list[float], float]:
        """Work for some seconds; return what each operation took, and what all took together."""
        end = perf_counter() + seconds
        times: list[float] = []

        async def work(key: int) -> None:
            while perf_counter() < end:
                begin = perf_counter()
                await self.operate(name, key)
                times.append(perf_counter() - begin)

        begin = perf_counter()
        await asyncio.gather(*(work(key) for key in range(concurrency)))
        return times, perf_counter() - begin


async def measure(site: Site, effort: Effort) -> dict[str, Any]:
    """Return round trips, operations a second, p50 and p99 for each contender."""
    pool = max(effort.concurrency)
    address = (site.admin.host or "127.0.0.1", site.admin.port or 5432)
    with contextlib.ExitStack() as stack:
        middle = stack.enter_context(proxy(*address))
        field = []
        try:
            for contender in [
                *contenders("", CODECS),
                PostgreSQLFloor(),
                PostgreSQLFloor(reset=False),
            ]:
                url = await asyncio.to_thread(site.make_database)
                await contender.open(url.set(host="127.0.0.1", port=middle.port), pool)
                load = Load(contender, pool)
                await load.fill()
                field.append(load)
            result = {"ping": await _ping(field), "pool": pool, "operations": {}}
            for name in TARGETS:
                result["operations"][name] = await _operation(field, middle, name, effort)
        finally:
            for load in field:
                await load.contender.close()
    return result


async def _ping(field: list[Load]) -> float:
    """Return what the smallest exchange takes through the proxy."""
    (floor,) = (load.contender for load in field if load.contender.name == FLOOR)
    times = []
    async with floor.pool.acquire() as connection:
        for _ in range(50):
            begin = perf_counter()
            await connection.execute("SELECT 1")
            times.append(perf_counter() - begin)
    return statistics.median(times)


async def _operation(
    field: list[Load], middle: Proxy, name: str, effort: Effort
) -> dict[str, dict[str, Any]]:
    figures: dict[str, dict[str, Any]] = {load.contender.name: {} for load in field}
    for load in field:
        # Every connection prepares its statements before anything is counted.
        for _ in range(3):
            await load.before(name, load.count, 0)
            await asyncio.gather(*(load.operate(name, key) for key in range(load.count)))
        before = middle.trips
        for _ in range(10):
            await load.operate(name, 0)
        figures[load.contender.name]["trips"] = (middle.trips - before) / 10
    for concurrency in effort.concurrency:
        times: dict[str, list[float]] = {load.contender.name: [] for load in field}
        rates: dict[str, list[float]] = {load.contender.name: [] for load in field}
        for _ in range(effort.rounds):
            for load in field:
                await load.before(name, concurrency, effort.seconds)
                taken, total = await load.run(name, concurrency, effort.seconds)
                times[load.contender.name] += taken
                rates[load.contender.name].append(len(taken) / total)
        for contender, taken in times.items():
            figures[contender][str(concurrency)] = {
                "rate": statistics.median(rates[contender]),
                "rates": rates[contender],
                **_percentiles(taken),
            }
    return figures


def _percentiles(times: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return {"p50": cuts[49], "p99": cuts[98]}


PAIRS = ((AGENTS, "orjson"), (ENCRYPTED, "orjson+fernet"))


def speedup(figures: dict[str, Any], peer: str, ours: str, concurrency: int) -> tuple[float, ...]:
    """Return how many times the peer's operations a second we have, with the spread."""
    one, other = (figures[name][str(concurrency)]["rates"] for name in (ours, peer))
    return ratio(one, other)


def concurrencies(found: dict[str, Any]) -> list[int]:
    """Return with how many sessions at once a run was made."""
    contenders_ = next(iter(found["operations"].values()))
    return [int(key) for key in next(iter(contenders_.values())) if key.isdigit()]
