"""What the operations have in common: the failures that they report, and the pace they keep."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from strongroom.errors import StrongroomError

MOST_FAILURES = 1000
"""How many failures a report lists; all are counted."""


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
