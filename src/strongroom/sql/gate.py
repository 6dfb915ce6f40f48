"""Waiting for one another across event loops, and settling what has begun."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


class Gate:
    """A fair lock, or a semaphore of several places, for the tasks of every event loop.

    asyncio's own serve one loop only, and a session may be used from several.
    """

    def __init__(self, places: int = 1) -> None:
        self._guard = threading.Lock()
        self._free = places
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Wait for a place and take it."""
        with self._guard:
            if self._free:
                self._free -= 1
                return
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(turn)
        try:
            await turn
        except BaseException:
            with self._guard:
                waiting = turn in self._waiters
                if waiting:
                    self._waiters.remove(turn)
            if not waiting:
                # Our turn had come already: it goes to the next one.
                self.leave()
            raise

    def leave(self) -> None:
        """Give the place to the next one who waits."""
        with self._guard:
            while self._waiters:
                turn = self._waiters.popleft()
                try:
                    turn.get_loop().call_soon_threadsafe(_wake, turn)
                except RuntimeError:
                    # That waiter's loop has been closed: nobody is waiting any more.
                    continue
                return
            self._free += 1

    async def __aenter__(self) -> None:
        await self.enter()

    async def __aexit__(self, *exc_info: object) -> None:
        self.leave()


@dataclass(frozen=True)
class EngineGates:
    """The gates where operations on one engine wait for one another; None: the pool is enough.

    ``settles``: an operation that has begun is run to its end, whoever is cancelled.
    """

    writers: Gate | None
    readers: Gate | None
    settles: bool


def _wake(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


async def settle(work: Coroutine[Any, Any, T]) -> T:
    """Run work to its end even if the caller is cancelled, then let the cancellation through."""
    task = asyncio.ensure_future(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is None:
        return task.result()
    if not task.cancelled():
        # Take note of the outcome, or asyncio reports an exception that nobody retrieved.
        task.exception()
    raise cancellation
