"""Verification of a history: each row follows the one before it, and the head names the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn, Protocol

from strongroom.format.ledger import NO_UID, Head, LinkedRow, Links
from strongroom.protocols import Stored


class RowOpener(Protocol):
    """Verifies rows one by one, without their order; a SessionLedger does."""

    def check_headed(self, head: Head | None, rows: Sequence[LinkedRow], /) -> None:
        """Refuse rows without a head."""
        ...

    def open_rows(self, rows: Sequence[LinkedRow], /) -> tuple[Links, list[Stored]]:
        """Verify the link of each row by itself; returns the links and the values behind them."""
        ...

    def refuse(
        self, check: str, row_id: int | None = None, position: int | None = None, /
    ) -> NoReturn:
        """Raise HistoryTamperedError, saying which check failed and where."""
        ...


def verify_last(
    ledger: RowOpener, head: Head | None, rows: Sequence[LinkedRow], wanted: int
) -> tuple[Links, list[Stored]]:
    """Verify the latest rows, back from the head; returns their links and values.

    If there are fewer rows than wanted, they have to be the whole history.
    """
    ledger.check_headed(head, rows)
    links, values = ledger.open_rows(rows)
    position, uid = (head.count, head.last) if head else (0, NO_UID)
    for place in reversed(range(len(links))):
        if links.positions[place] != position:
            ledger.refuse(
                f"position {position} is expected here", rows[place][0], links.positions[place]
            )
        if links.uids[place] != uid:
            ledger.refuse("another row is expected here", rows[place][0], position)
        position, uid = position - 1, links.previous[place]
    if len(rows) < wanted and position:
        ledger.refuse(f"the rows up to position {position} are missing")
    if position == 0 and uid != NO_UID:
        ledger.refuse("the first row has one before it")
    return links, values


class HistoryVerifier:
    """Verifies a history from its first row on, in any number of batches."""

    def __init__(self, ledger: RowOpener) -> None:
        self._ledger = ledger
        self._count = 0
        self._last = NO_UID

    def follow(self, head: Head | None, rows: Sequence[LinkedRow]) -> tuple[Links, list[Stored]]:
        """Verify the next rows, read together with a head; returns their links and values."""
        self._ledger.check_headed(head, rows)
        links, values = self._ledger.open_rows(rows)
        before = (self._last, *links.uids)
        expected = tuple(range(self._count + 1, self._count + len(links) + 1))
        if links.positions != expected or links.previous != before[:-1]:
            self._refuse_break(rows, links, expected, before)
        self._count, self._last = self._count + len(links), before[-1]
        return links, values

    def _refuse_break(
        self,
        rows: Sequence[LinkedRow],
        links: Links,
        expected: Sequence[int],
        before: Sequence[bytes],
    ) -> NoReturn:
        for row, position, found, previous, last in zip(
            rows, expected, links.positions, links.previous, before, strict=False
        ):
            if found != position:
                self._ledger.refuse(f"position {position} is expected here", row[0], found)
            if previous != last:
                self._ledger.refuse("it does not follow the row before it", row[0], found)
        self._ledger.refuse("its rows do not follow one another")

    def finish(self, head: Head | None) -> None:
        """Verify that the history ends where its head says."""
        count, last = (head.count, head.last) if head else (0, NO_UID)
        if self._count != count:
            self._ledger.refuse(f"it has {self._count} rows and should have {count}")
        if self._last != last:
            self._ledger.refuse("another row is expected at its end", None, count)
