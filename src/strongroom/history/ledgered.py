"""The rows of one session that has a ledger: verified when read, linked when written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from strongroom.errors import ConflictError
from strongroom.format.ledger import NO_UID, Head
from strongroom.history.head import HeadChange, HeadStore
from strongroom.history.linking import dated, now, spliced, without_row
from strongroom.history.protocol import Picker, Popped
from strongroom.history.verified import VerifiedReader, VerifiedRows
from strongroom.ledger.session_ledger import SessionLedger
from strongroom.protocols import Stored, Witness
from strongroom.sql.dialects.base.step import Step
from strongroom.sql.retry import Deadline
from strongroom.sql.rows import Row
from strongroom.sql.runner import Runner
from strongroom.sql.times import aware_to_micros

_CLOCKS_DIFFER = 600_000_000
"""How far a writer's clock may be ahead of the database's, in microseconds."""


class LedgeredHistory:
    """The rows of a session with a ledger.

    Every change swaps the head that it builds on, so a change that comes between makes it begin
    again.
    """

    def __init__(
        self, runner: Runner, session_id: str, ledger: SessionLedger, witness: Witness | None
    ) -> None:
        self._runner = runner
        self._session_id = session_id
        self._ledger = ledger
        self._heads = HeadStore(runner, session_id, ledger, witness)
        self._reader = VerifiedReader(self._heads, session_id, ledger)

    # Reading --------------------------------------------------------------------------------------

    async def rows(self) -> list[Row]:
        """Return all rows, oldest first, verified from the first to the head."""
        return (await self._reader.all()).pairs

    async def first(self, count: int) -> list[Row]:
        """Return the first rows; all are verified, from the first to the head."""
        return (await self._reader.all()).pairs[:count]

    async def last(self, count: int) -> list[Row]:
        """Return the latest rows, oldest first, verified back from the head."""
        return (await self._reader.last(count)).pairs

    async def batches(self, size: int) -> AsyncIterator[list[Row]]:
        """Yield all rows in batches; ConflictError if another writer changed what was read."""
        async for verified in self._reader.batches(size):
            yield verified.pairs

    def verified_batches(self, size: int) -> AsyncIterator[VerifiedRows]:
        """Yield the batches with their links and heads."""
        return self._reader.batches(size)

    # Adding ---------------------------------------------------------------------------------------

    async def append(
        self, values: Sequence[Stored], times: Sequence[int | None] | None = None
    ) -> None:
        """Add a batch at the end, exactly once, also if a connection is lost on the way.

        A time that is None is now.
        """
        moments = dated(values, times)

        async def once() -> bool:
            return await self._append_to(await self._heads.current(tail=True), values, moments)

        await self._until_done(once)

    async def append_to_empty(self, values: Sequence[Stored]) -> bool:
        """Add a batch to a session that has no rows; False, and nothing is added, if it has."""
        if not values:
            return not await self.last(1)
        return await self.extend(None, values) is not None

    async def extend(
        self,
        newest: int | None,
        values: Sequence[Stored],
        times: Sequence[int | None] | None = None,
    ) -> int | None:
        """Add a batch behind a row that has to be the newest; None: there may be no row.

        A time that is None is now. Returns the row id of the last one added; None, and adds
        nothing, if another row is the newest. Raises ConflictError if one was right after.
        """
        moments, deadline = dated(values, times), Deadline()
        while True:
            tail = await self._reader.last(1)
            if (tail.rows[-1][0] if tail.rows else None) != newest:
                return None
            if await self._append_to(tail.head, values, moments):
                break
            deadline.check()
        before = tail.head.version if tail.head else 0
        tail = await self._reader.last(1)
        if tail.head is None or tail.head.version != before + 1:
            raise ConflictError("The batch was stored, and another writer came right after it.").at(
                self._session_id
            )
        return tail.rows[-1][0]

    async def _append_to(
        self, head: Head | None, values: Sequence[Stored], times: Sequence[int]
    ) -> bool:
        linked, new = self._ledger.append(head, values, times)
        sql = await self._heads.statements()
        step = self._step(head, new, linked, times)
        return await self._heads.swap(HeadChange(head, new, sql.append, (step,), adds=True))

    async def replace(self, values: Sequence[Stored]) -> None:
        """Put a batch in the place of all rows."""
        times = [now()] * len(values)
        sql = await self._heads.statements()

        async def once() -> bool:
            head = await self._heads.current()
            linked, new = self._ledger.rebuild(head, 0, NO_UID, values, times)
            step = self._step(head, new, linked, times)
            return await self._heads.swap(
                HeadChange(head, new, sql.replace, (step,), adds=bool(values))
            )

        await self._until_done(once)

    async def renew(self) -> None:
        """Put the head under the primary key, where it is not; the rows stay as they are."""
        sql = await self._heads.statements()

        async def once() -> bool:
            head = await self._heads.current()
            if head is None or self._ledger.is_current(head):
                return True
            new = self._ledger.make_head(head.version + 1, head.count, head.last)
            return await self._heads.swap(
                HeadChange(head, new, sql.advance, (self._step(head, new),))
            )

        await self._until_done(once)

    # Removing -------------------------------------------------------------------------------------

    async def clear(self) -> None:
        """Remove all rows and the session; its head stays and says that there are none."""

        async def once() -> bool:
            head = await self._heads.current()
            if head is None and not await self._exists():
                return True
            return await self._clear_behind(head)

        await self._until_done(once)

    async def delete(self) -> bool:
        """Clear the session; False if there was none. A ledger remembers it: its head stays."""
        existed = await self._exists()
        await self.clear()
        return existed

    async def delete_stale(self, before: datetime) -> bool:
        """Clear the session if it has not been updated since a time; returns whether it was so.

        It is looked at after the head that the clearing builds on, and a writer that comes later
        moves that head: so only a stale session is cleared. Nothing vouches for ``updated_at``,
        but the link of the newest row does for its time: if that is much younger, it refuses.
        """
        listing = (await self._runner.statements()).store.listing
        limit, stale = aware_to_micros(before), False

        async def once() -> bool:
            nonlocal stale
            tail = await self._reader.last(1)
            stale = await self._runner.read(listing.not_updated_since, self._session_id, before)
            newest = tail.links[-1].time if tail.links else None
            if stale and newest is not None and newest >= limit:
                if newest >= limit + _CLOCKS_DIFFER:
                    self._ledger.refuse("its newest row is younger than its session's updated_at")
                stale = False
            return not stale or await self._clear_behind(tail.head)

        await self._until_done(once)
        return stale

    async def _exists(self) -> bool:
        listing = (await self._runner.statements()).store.listing
        return await self._runner.read(listing.exists, self._session_id)

    async def _clear_behind(self, head: Head | None) -> bool:
        _, new = self._ledger.rebuild(head, 0, NO_UID, (), ())
        sql = await self._heads.statements()
        return await self._heads.swap(HeadChange(head, new, sql.clear, (self._step(head, new),)))

    async def pop(self, picker: Picker) -> Popped | None:
        """Delete the row that the picker takes; None if it takes none."""
        async with self._runner.session_gate(self._session_id):
            deadline = Deadline()
            while True:
                tail, picked = await self._pick(picker)
                if picked is None:
                    return None
                (row_id, _), item = picked
                try:
                    if await self._drop(row_id, tail):
                        return Popped(item)
                finally:
                    del picked, item  # an error keeps this frame
                deadline.check()

    async def _pick(self, picker: Picker) -> tuple[VerifiedRows, Any]:
        """Return the latest rows, as many as it took to pick one, and the one that was picked."""
        wanted = 1
        while True:
            tail = await self._reader.last(wanted)
            picked = await picker.pick(tail.pairs)
            if picked is not None or len(tail.rows) < wanted:
                return tail, picked
            wanted *= 2

    async def _drop(self, row_id: int, tail: VerifiedRows) -> bool:
        """Delete a row while the head is the one that was read with it.

        Rows behind it, which were passed over, are linked to the row before it.
        """
        if tail.head is None:
            return False
        linking = without_row(self._ledger, tail, row_id)
        sql = await self._heads.statements()
        step = self._step(tail.head, linking.head)
        if not linking.values:
            change = HeadChange(tail.head, linking.head, sql.pop, (step, row_id))
            return await self._heads.swap(change)
        changes = linking.changes(self._session_id)
        return await self._heads.swap(
            HeadChange(tail.head, linking.head, sql.drop, (step, row_id, changes), single=False)
        )

    async def splice(
        self, expected: Sequence[Row], doomed: set[int], values: Sequence[Stored]
    ) -> bool:
        """Remove rows and add a batch at the end, while the latest rows are the expected."""
        whole = await self._reader.all()
        if whole.head is None or not whole.ends_with(expected):
            return False
        linking, place = spliced(self._ledger, whole, doomed, values, now())
        sql = await self._heads.statements()
        step = self._step(whole.head, linking.head, linking.values, linking.times)
        return await self._heads.swap(
            HeadChange(
                *(whole.head, linking.head, sql.splice, (step, place)),
                adds=bool(linking.values),
                single=False,
            )
        )

    # Steps ----------------------------------------------------------------------------------------

    def _step(
        self, head: Head | None, new: Head, values: Sequence[Stored] = (), times: Sequence[int] = ()
    ) -> Step:
        return Step(self._session_id, head.raw if head else None, new.raw, values, times)

    async def _until_done(self, once: Callable[[], Awaitable[bool]]) -> None:
        """Try a change until nobody comes between; raises ConflictError after a bounded time."""
        if await once():
            return
        deadline = Deadline()
        # Writers of this process now wait for one another, rather than outrun each other.
        async with self._runner.session_gate(self._session_id):
            while not await once():
                deadline.check()
