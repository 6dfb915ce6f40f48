"""Reads the rows of a session that has a ledger, and verifies them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from strongroom.errors import ConflictError, HistoryTamperedError
from strongroom.format.ledger import Head, LinkedRow, Links
from strongroom.history.head import HeadStore
from strongroom.ledger.session_ledger import SessionLedger
from strongroom.ledger.verification import HistoryVerifier
from strongroom.protocols import Stored
from strongroom.sql.rows import FIRST_ID, Row


class VerifiedRows(NamedTuple):
    """Some rows of a session, verified, and the head that was read with them."""

    head: Head | None
    rows: list[LinkedRow]
    links: Links
    values: list[Stored]

    @property
    def pairs(self) -> list[Row]:
        """The rows without their links."""
        return [(row[0], value) for row, value in zip(self.rows, self.values, strict=True)]

    def ends_with(self, expected: Sequence[Row]) -> bool:
        """Tell whether these are the last rows."""
        return self.pairs[len(self.rows) - len(expected) :] == list(expected)


class VerifiedReader:
    """Reads the rows of one session; HistoryTamperedError for what the ledger did not record."""

    def __init__(self, heads: HeadStore, session_id: str, ledger: SessionLedger) -> None:
        self._heads = heads
        self._session_id = session_id
        self._ledger = ledger

    async def all(self) -> VerifiedRows:
        """Return all rows, verified from the first to the head."""
        sql = await self._heads.statements()
        head, rows = await self._heads.read(sql.all)
        return VerifiedRows(head, rows, *self._ledger.verify_links(head, rows))

    async def last(self, count: int) -> VerifiedRows:
        """Return the latest rows, verified back from the head."""
        head, rows = await self._heads.last(count)
        return VerifiedRows(head, rows, *self._ledger.verify_last(head, rows, count))

    async def batches(self, size: int) -> AsyncIterator[VerifiedRows]:
        """Yield all rows in batches, each verified against those before it.

        A break is tampering while the head stands still, and a ConflictError when another writer
        has moved it.
        """
        verifier, place = HistoryVerifier(self._ledger), FIRST_ID
        first: Head | None = None
        sql = await self._heads.statements()
        while True:
            head, rows = await self._heads.read(sql.after, place, size)
            if place == FIRST_ID:
                first = head
            try:
                verified = VerifiedRows(head, rows, *verifier.follow(head, rows))
                if len(rows) < size:
                    verifier.finish(head)
            except HistoryTamperedError as error:
                if head == first:
                    raise
                conflict = ConflictError(
                    "The session was changed while it was being read: read it again."
                ).at(self._session_id)
                raise conflict from error
            yield verified
            if len(rows) < size:
                return
            place = rows[-1][0]
