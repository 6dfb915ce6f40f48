"""New links for the rows of a history of which some are removed: pure, no SQL."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from strongroom.format.ledger import NO_UID, Head, LinkedRow
from strongroom.history.verified import VerifiedRows
from strongroom.ledger.session_ledger import SessionLedger
from strongroom.protocols import Stored
from strongroom.sql.rows import FIRST_ID, Change

_MICROS = 1_000_000


class Linking(NamedTuple):
    """Values that were linked anew, their times, and the head that follows.

    ``rows`` are the rows that the values take the place of, empty where they are added.
    """

    head: Head
    values: list[Stored]
    times: list[int]
    rows: Sequence[LinkedRow] = ()

    def changes(self, session_id: str) -> list[Change]:
        """Return the rows' old and new values."""
        return [
            Change(session_id, row[0], row[1], value)
            for row, value in zip(self.rows, self.values, strict=True)
        ]


def now() -> int:
    """Return the time in whole seconds, as microseconds: every database can store it."""
    return int(time.time()) * _MICROS


def dated(values: Sequence[Stored], times: Sequence[int | None] | None) -> list[int]:
    """Return a time for each value; None is now."""
    if times is None:
        return [now()] * len(values)
    default = now()
    return [default if moment is None else moment for moment in times]


def without_row(ledger: SessionLedger, tail: VerifiedRows, row_id: int) -> Linking:
    """Link the rows behind a row to the row before it."""
    place = [row[0] for row in tail.rows].index(row_id)
    behind, cut = tail.rows[place + 1 :], tail.links[place]
    times = [row[2] for row in behind]
    linked, head = ledger.rebuild(
        tail.head, cut.position - 1, cut.previous, tail.values[place + 1 :], times
    )
    return Linking(head, linked, times, behind)


def spliced(
    ledger: SessionLedger,
    whole: VerifiedRows,
    doomed: set[int],
    values: Sequence[Stored],
    time: int,
) -> tuple[Linking, int]:
    """Link a history without some rows and with new ones; returns the last row that stays, too.

    The rows before the first doomed one stay as they are; the others are linked anew.
    """
    _, rows, links, kept = whole
    start = next((k for k, row in enumerate(rows) if row[0] in doomed), len(rows))
    stay = [k for k in range(start, len(rows)) if rows[k][0] not in doomed]
    batch = [kept[k] for k in stay] + list(values)
    times = [rows[k][2] for k in stay] + [time] * len(values)
    last, place = (links[start - 1].uid, rows[start - 1][0]) if start else (NO_UID, FIRST_ID)
    linked, head = ledger.rebuild(whole.head, start, last, batch, times)
    return Linking(head, linked, times), place
