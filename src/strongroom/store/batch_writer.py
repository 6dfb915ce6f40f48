"""Writes a batch of rows for many sessions, with and without a ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from strongroom.core.core import Core
from strongroom.ledger.ledger import Ledger
from strongroom.protocols import Stored
from strongroom.sql.rows import NewRow, SessionsMovedError
from strongroom.sql.times import aware_to_micros


class WaitingItem(NamedTuple):
    """The value of an item that waits to be written."""

    session_id: str
    value: Stored
    created_at: dt.datetime | None


@dataclass
class Written:
    """The result of writing a batch.

    ``newest`` has the newest row of each session that was written, None where nobody asked for it;
    ``moved`` are the sessions whose newest row is another one than expected.
    """

    rows: int = 0
    newest: dict[str, int | None] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)


class BatchWriter(Protocol):
    """Appends rows to many sessions."""

    async def write(
        self, rows: Sequence[WaitingItem], expected: Mapping[str, int | None]
    ) -> Written:
        """Append rows; ``expected`` names the newest row that a session has to have."""
        ...


def batch_writer(core: Core) -> BatchWriter:
    """Return the writer for a store."""
    return PlainWriter(core) if core.ledger is None else LedgeredWriter(core, core.ledger)


class PlainWriter:
    """Writes all rows in one transaction, or none."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def write(
        self, rows: Sequence[WaitingItem], expected: Mapping[str, int | None]
    ) -> Written:
        """Append rows in one transaction."""
        store = (await self._core.runner.statements()).store
        new = [NewRow(*row) for row in rows]
        try:
            newest = await self._core.runner.transact(store.extend, expected, new)
        except SessionsMovedError as moved:
            return Written(moved=moved.session_ids)
        return Written(len(new), dict(newest))


class LedgeredWriter:
    """Writes the rows of one session after the other, each whole or not at all."""

    def __init__(self, core: Core, ledger: Ledger) -> None:
        self._core = core
        self._ledger = ledger

    async def write(
        self, rows: Sequence[WaitingItem], expected: Mapping[str, int | None]
    ) -> Written:
        """Append rows up to the first session that has moved."""
        written = Written()
        for session_id in dict.fromkeys(row.session_id for row in rows):
            mine = [row for row in rows if row.session_id == session_id]
            values, times = [row.value for row in mine], [_micros(row.created_at) for row in mine]
            history = self._core.ledgered_history(session_id, self._ledger)
            newest = None
            if session_id in expected:
                newest = await history.extend(expected[session_id], values, times)
                if newest is None:
                    written.moved.add(session_id)
                    return written
            else:
                await history.append(values, times)
            written.newest[session_id] = newest
            written.rows += len(mine)
        return written


def _micros(time: dt.datetime | None) -> int | None:
    """Return a time as a ledger has it."""
    return None if time is None else aware_to_micros(time)
