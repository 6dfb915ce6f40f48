"""How far an operation is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from strongroom.core.core import Core
from strongroom.sql.prefixes import check_prefix

_SECONDS_BETWEEN = 0.1


@dataclass(frozen=True)
class Progress:
    """How far an operation is: ``done`` of ``total`` rows of a ``stage``.

    The total was counted when the stage began; under live traffic ``done`` may end elsewhere.
    """

    done: int
    total: int
    stage: str


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
        core: Core,
        prefix: str | None,
        *,
        session_id: str | None = None,
        counts: bool = True,
    ) -> Meter:
        """Return a meter over the rows of a store, or of one session.

        They are counted only if somebody listens, and ``counts``; else the total is 0.
        """
        check_prefix(prefix)
        if session_id is not None:
            core.check_session_id(session_id)
        total = 0
        if callback is not None and counts:
            total = await _count_rows(core, prefix, session_id)
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
        self._next = time.monotonic() + _SECONDS_BETWEEN
        callback(Progress(self._done, self._total, self._stage))


async def _count_rows(core: Core, prefix: str | None, session_id: str | None) -> int:
    sql = await core.runner.statements()
    if session_id is not None:
        return await core.runner.read(sql.session.count, session_id)
    return await core.runner.read(sql.store.count_rows, prefix or None)
