"""Keeping to a number of rows a second."""

from __future__ import annotations

import asyncio
import time


class Pace:
    """Keeps to a number of rows a second."""

    def __init__(self, rows_per_second: float | None) -> None:
        if rows_per_second is not None and not rows_per_second > 0:
            raise ValueError(f"rows_per_second is above 0, not {rows_per_second}.")
        self._rate = rows_per_second
        self._due = time.monotonic()

    def batch(self, rows: int) -> int:
        """Return how many rows may be done in one go: not more than a second's."""
        return rows if self._rate is None else max(1, int(min(rows, self._rate)))

    async def after(self, rows: int) -> None:
        """Wait as long as these rows may take."""
        if self._rate is not None:
            self._due = max(self._due, time.monotonic() - 1) + rows / self._rate
            await asyncio.sleep(max(0.0, self._due - time.monotonic()))
