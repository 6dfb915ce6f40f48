"""What the operations tell: progress on the way, and failures at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from strongroom.errors import StrongroomError
from strongroom.sql.many import many_of
from strongroom.store import SessionStore

MOST_FAILURES = 1000
"""How many failures a report lists; all are counted."""

_PROGRESS_SECONDS = 0.1


@dataclass(frozen=True)
class Progress:
    """How far an operation is: ``done`` of ``total`` rows of a ``stage``.

    The total was counted when the stage began; under live traffic ``done`` may end elsewhere.
    """

    done: int
    total: int
    stage: str


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A row that was left as it is, and why: the class and the message of its error.

    ``row_id`` is None where it is a session that a ledger does not vouch for.
    """

    session_id: str
    row_id: int | None
    error: str
    message: str


class Failures:
    """Lists failures, and counts those that are too many to list."""

    def __init__(self) -> None:
        self.total = 0
        self._listed: list[Failure] = []

    def add(self, session_id: str, row_id: int | None, error: StrongroomError) -> None:
        """Note a row."""
        self.total += 1
        if len(self._listed) < MOST_FAILURES:
            self._listed.append(
                Failure(
                    session_id=session_id,
                    row_id=row_id,
                    error=type(error).__name__,
                    message=error.message,
                )
            )

    @property
    def listed(self) -> tuple[Failure, ...]:
        """The first of them."""
        return tuple(self._listed)


class Meter:
    """Calls a progress callback now and then, and at the end."""

    def __init__(
        self, callback: Callable[[Progress], object] | None, stage: str, total: int
    ) -> None:
        self._callback = callback
        self._stage = stage
        self._total = total
        self._done = 0
        self._next = 0.0

    @classmethod
    async def of_rows(
        cls,
        callback: Callable[[Progress], object] | None,
        stage: str,
        store: SessionStore,
        prefix: str | None,
    ) -> Meter:
        """Return a meter over the rows of a store, which are counted only if somebody listens."""
        total = 0
        if callback is not None:
            total = await store.backend.read(
                lambda db, conn: many_of(db).count_rows(conn, prefix or None)
            )
        return cls(callback, stage, total)

    def add(self, rows: int) -> None:
        """Count rows."""
        self._done += rows
        if self._callback is not None and time.monotonic() >= self._next:
            self._report(self._callback)

    def finish(self) -> None:
        """Report the end."""
        if self._callback is not None:
            self._report(self._callback)

    def _report(self, callback: Callable[[Progress], object]) -> None:
        self._next = time.monotonic() + _PROGRESS_SECONDS
        callback(Progress(self._done, self._total, self._stage))


class Pace:
    """Keeps to a number of rows a second."""

    def __init__(self, rows_per_second: float | None) -> None:
        if rows_per_second is not None and not rows_per_second > 0:
            raise ValueError(f"rows_per_second is above 0, not {rows_per_second}.")
        self._rate = rows_per_second
        self._due = time.monotonic()

    def batch(self, rows: int) -> int:
        """Return how many rows may be done in one go: not more than a second's."""
        return rows if self._rate is None else max(1, min(rows, int(self._rate)))

    async def after(self, rows: int) -> None:
        """Wait as long as these rows may take."""
        if self._rate is not None:
            self._due = max(self._due, time.monotonic() - 1) + rows / self._rate
            await asyncio.sleep(max(0.0, self._due - time.monotonic()))
