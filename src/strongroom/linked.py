"""The rows of one session that has a ledger: verified when read, linked when written."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from strongroom.errors import ConflictError, HistoryTamperedError, StrongroomError, WitnessError
from strongroom.history import FIRST_ROW
from strongroom.ledger import BoundLedger, Chain, Head, Link
from strongroom.protocols import Stored, Witness
from strongroom.sql.backend import Backend
from strongroom.sql.base import Row
from strongroom.sql.gate import settle
from strongroom.sql.heads import Heads

_MICROS = 1_000_000
_LOOK_BACK = 1000
"""How many rows that others added meanwhile are searched for our own after a lost connection."""


class LinkedHistory:
    """The rows of a session with a ledger.

    Every change swaps the head that it builds on, so what comes between makes it begin again. The
    backend remembers the last head of a session, and an append tries that one first.
    """

    def __init__(
        self, backend: Backend, session_id: str, ledger: BoundLedger, witness: Witness | None
    ) -> None:
        self._backend = backend
        self._session_id = session_id
        self._ledger = ledger
        self._witness = witness

    # Reading ------------------------------------------------------------------------------------

    async def rows(self) -> list[Row]:
        """Return all rows, oldest first, verified from the first to the head."""
        seen = await self._seen()
        raw, rows = await self._read(lambda heads, conn: heads.all(conn, self._session_id))
        head = await self._accept(raw, seen)
        values = self._ledger.verify_all(head, rows)
        return [(row[0], value) for row, value in zip(rows, values, strict=True)]

    async def last(self, count: int) -> list[Row]:
        """Return the latest rows, oldest first, verified back from the head."""
        return (await self.tail(count))[0]

    async def tail(self, count: int) -> tuple[list[Row], tuple[Head | None, list[Link]]]:
        """Return the latest rows, verified, with their links and the head."""
        seen = await self._seen()
        raw, rows = await self._read(lambda heads, conn: heads.last(conn, self._session_id, count))
        head = await self._accept(raw, seen)
        values, links = self._ledger.verify_last(head, rows, count)
        pairs = [(row[0], value) for row, value in zip(rows, values, strict=True)]
        return pairs, (head, links)

    async def batches(self, size: int) -> AsyncIterator[list[Row]]:
        """Yield all rows in batches, each verified against those before it.

        A break is tampering while the head stands still, and a ConflictError when another writer
        has moved it.
        """
        chain, last = Chain(self._ledger), FIRST_ROW
        first: bytes | None = None
        begun = False
        while True:
            seen = await self._seen()
            raw, rows = await self._read_after(last, size)
            head = await self._accept(raw, seen)
            if not begun:
                first, begun = raw, True
            try:
                batch = [(row[0], chain.follow(row)) for row in rows]
                if len(rows) < size:
                    chain.finish(head)
            except HistoryTamperedError as error:
                if raw == first:
                    raise
                conflict = ConflictError(
                    "The session was changed while it was being read: read it again."
                ).at(self._session_id)
                raise conflict from error
            yield batch
            if len(rows) < size:
                return
            last = rows[-1][0]

    # Changing -----------------------------------------------------------------------------------

    async def append(self, values: Sequence[Stored]) -> None:
        """Add a batch at the end, exactly once, also if a connection is lost on the way."""
        times = [int(time.time()) * _MICROS] * len(values)
        await self._append(values, times)

    async def _append(self, values: Sequence[Stored], times: Sequence[int]) -> None:
        restarts = self._backend.restarts()
        remembered = True
        while True:
            head = await self._head(remembered=remembered)
            linked, new = self._ledger.append(head, values, times)
            old = head.raw if head else None

            def append(
                heads: Heads,
                conn: Connection,
                old: bytes | None = old,
                new: Head = new,
                linked: Sequence[Stored] = linked,
            ) -> bool:
                return heads.append(conn, self._session_id, old, new.raw, linked, times)

            if await self._change(append, head, new):
                return
            remembered = False
            restarts.check()

    async def replace(self, values: Sequence[Stored]) -> None:
        """Put a batch in the place of all rows."""
        times = [int(time.time()) * _MICROS] * len(values)
        restarts = self._backend.restarts()
        while True:
            head = await self._head(remembered=False)
            if await self._restart(head, values, times):
                return
            restarts.check()

    async def clear(self) -> None:
        """Remove all rows and the session; its head stays and says that there are none."""
        restarts = self._backend.restarts()
        while True:
            rows, (head, _) = await self.tail(1)
            if head is None or (not rows and not head.count):
                return
            new = self._ledger.restart(head, (), ())[1]
            old = head.raw

            def clear(
                heads: Heads, conn: Connection, old: bytes = old, new: bytes = new.raw
            ) -> bool:
                return heads.clear(conn, self._session_id, old, new)

            if await self._change(clear, head, new):
                return
            restarts.check()

    async def claim(self, row_id: int, moment: Any) -> bool:
        """Delete the last row while the head is the one that was read with it."""
        head, links = moment
        new = self._ledger.cut(head, links[-1])

        def pop(heads: Heads, conn: Connection) -> bool:
            return heads.pop(conn, self._session_id, head.raw, new.raw, row_id)

        return await self._change(pop, head, new)

    async def splice(
        self, expected: Sequence[Row], doomed: set[int], values: Sequence[Stored]
    ) -> bool:
        """Remove rows and add a batch at the end, while the latest rows are the expected."""
        seen = await self._seen()
        raw, rows = await self._read(lambda heads, conn: heads.all(conn, self._session_id))
        head = await self._accept(raw, seen)
        kept = self._ledger.verify_all(head, rows)
        pairs = [(row[0], value) for row, value in zip(rows, kept, strict=True)]
        if pairs[len(pairs) - len(expected) :] != list(expected):
            return False
        now = int(time.time()) * _MICROS
        history = [
            (row[2], value) for row, value in zip(rows, kept, strict=True) if row[0] not in doomed
        ]
        history += [(now, value) for value in values]
        return await self._restart(
            head, [value for _, value in history], [moment for moment, _ in history]
        )

    async def _restart(
        self, head: Head | None, values: Sequence[Stored], times: Sequence[int]
    ) -> bool:
        linked, new = self._ledger.restart(head, values, times)
        old = head.raw if head else None

        def replace(heads: Heads, conn: Connection) -> bool:
            return heads.replace(conn, self._session_id, old, new.raw, linked, times)

        return await self._change(replace, head, new)

    # Heads and the witness ----------------------------------------------------------------------

    async def _head(self, *, remembered: bool) -> Head | None:
        """Return the head to build on: the one remembered, or the one in the database."""
        seen = await self._seen()
        if remembered:
            head = self._backend.remembered_head(self._memory_key)
            if head is not None and (seen is None or head.version >= seen[0]):
                return head
        raw = await self._read(lambda heads, conn: heads.head(conn, self._session_id))
        head = await self._accept(raw, seen)
        if head is None:
            # A session without a head is new, or it has lost it: then its rows refuse.
            rows = await self._read(lambda heads, conn: heads.last(conn, self._session_id, 1))
            if rows[0] is None:
                self._ledger.verify_last(None, rows[1], 1)
        return head

    async def _accept(self, raw: bytes | None, seen: tuple[int, bytes] | None) -> Head | None:
        """Verify a stored head, also against what the witness saw before it was read."""
        head = self._ledger.open_head(raw)
        if self._witness is None:
            return head
        if head is None:
            if seen is not None:
                self._ledger.refuse("the head is missing, and the witness has seen one")
            return None
        if seen is not None and head.version < seen[0]:
            self._ledger.refuse(
                f"the head has version {head.version}, and the witness has seen {seen[0]}"
            )
        if seen is not None and head.version == seen[0] and head.tag != seen[1]:
            self._ledger.refuse("the witness has seen another head of this version")
        if seen is None or head.version > seen[0]:
            # A writer died between its commit and the witness, or is about to tell it.
            await self._advance(head, committed=False)
        return head

    async def _change(
        self, operation: Callable[[Heads, Connection], bool], old: Head | None, new: Head
    ) -> bool:
        """Run a change; then remember its head and tell the witness, whoever is cancelled."""
        if self._witness is None:
            return await self._commit(operation, old, new)
        return await settle(self._commit(operation, old, new))

    async def _commit(
        self, operation: Callable[[Heads, Connection], bool], old: Head | None, new: Head
    ) -> bool:
        try:
            changed = await self._backend.write(
                lambda db, conn: operation(self._backend.head_statements(db), conn)
            )
        except DBAPIError as error:
            self._backend.forget_head(self._memory_key)
            if not error.connection_invalidated:
                raise
            outcome = await self._outcome(old, new)
            if outcome is None:
                raise
            changed = outcome
        if not changed:
            self._backend.forget_head(self._memory_key)
            return False
        self._backend.remember_head(self._memory_key, new)
        if self._witness is not None:
            await self._advance(new, committed=True)
        return True

    async def _outcome(self, old: Head | None, new: Head) -> bool | None:
        """Find out, after a lost connection, whether a change was applied; None if unclear."""
        added = max(0, new.count - (old.count if old else 0))
        raw, rows = await self._read(
            lambda heads, conn: heads.last(conn, self._session_id, added + _LOOK_BACK)
        )
        if raw == new.raw:
            return True
        if raw == (old.raw if old else None):
            return False
        # Others have gone on since. Rows of our own show that it was applied; without them it may
        # have been applied and undone.
        ours = added and any(self._ledger.open_row(row)[0].uid == new.last for row in rows)
        return True if ours else None

    async def _seen(self) -> tuple[int, bytes] | None:
        """Ask the witness, before the store is read."""
        if self._witness is None:
            return None
        try:
            return await self._witness.seen(self._ledger.witness_key)
        except StrongroomError as error:
            error.at(self._session_id)
            raise
        except Exception as error:
            problem = WitnessError(f"The witness could not be asked: {type(error).__name__}.")
            raise problem.at(self._session_id) from error

    async def _advance(self, head: Head, *, committed: bool) -> None:
        witness = self._witness
        if witness is None:
            return
        try:
            await witness.advance(self._ledger.witness_key, head.version, head.tag)
        except Exception as error:
            done = "The change is stored, but the" if committed else "The"
            problem = WitnessError(
                f"{done} witness could not be told: {type(error).__name__}: {error}",
                committed=committed,
            )
            raise problem.at(self._session_id) from error

    @property
    def _memory_key(self) -> bytes:
        return self._ledger.witness_key + self._ledger.key_id

    async def _read(self, operation: Callable[[Heads, Connection], Any]) -> Any:
        return await self._backend.read(
            lambda db, conn: operation(self._backend.head_statements(db), conn)
        )

    async def _read_after(self, row_id: int, count: int) -> Any:
        return await self._read(
            lambda heads, conn: heads.after(conn, self._session_id, row_id, count)
        )
