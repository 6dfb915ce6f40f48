"""The rows of one session that has a ledger: verified when read, linked when written."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from strongroom.errors import ConflictError, HistoryTamperedError
from strongroom.format.ledger import NO_UID, Head, LinkedRow, Links
from strongroom.history.head import Keeper
from strongroom.history.plain import FIRST_ROW
from strongroom.ledger.session_ledger import SessionLedger
from strongroom.ledger.verification import HistoryVerifier
from strongroom.protocols import Stored, Witness
from strongroom.sql.dialects.base.ledger import Heads, Step
from strongroom.sql.dialects.base.session import Row
from strongroom.sql.dialects.store_registry import Change, many_of
from strongroom.sql.runner import Backend

_MICROS = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCKS_DIFFER = 600 * _MICROS
"""How far a writer's clock may be ahead of the database's."""


class Moment(NamedTuple):
    """The latest rows of a session as they were read, verified, and its head."""

    head: Head | None
    rows: list[LinkedRow]
    links: Links
    values: list[Stored]

    @property
    def pairs(self) -> list[Row]:
        """The rows without their links."""
        return [(row[0], value) for row, value in zip(self.rows, self.values, strict=True)]


class LinkedHistory:
    """The rows of a session with a ledger.

    Every change swaps the head that it builds on, so what comes between makes it begin again.
    """

    def __init__(
        self, backend: Backend, session_id: str, ledger: SessionLedger, witness: Witness | None
    ) -> None:
        self._backend = backend
        self._session_id = session_id
        self._ledger = ledger
        self._keeper = Keeper(backend, session_id, ledger, witness)

    # Reading ------------------------------------------------------------------------------------

    async def whole(self) -> Moment:
        """Return all rows, verified from the first to the head."""
        head, rows = await self._keeper.read(lambda heads, conn: heads.all(conn, self._session_id))
        return Moment(head, rows, *self._ledger.verify_links(head, rows))

    async def rows(self) -> list[Row]:
        """Return all rows, oldest first, verified from the first to the head."""
        return (await self.whole()).pairs

    async def last(self, count: int) -> list[Row]:
        """Return the latest rows, oldest first, verified back from the head."""
        return (await self.tail(count))[0]

    async def tail(self, count: int) -> tuple[list[Row], Moment]:
        """Return the latest rows, verified, and what ``claim`` needs to know about this moment."""
        head, rows = await self._keeper.last(count)
        moment = Moment(head, rows, *self._ledger.verify_last(head, rows, count))
        return moment.pairs, moment

    async def batches(self, size: int) -> AsyncIterator[list[Row]]:
        """Yield all rows in batches, each verified against those before it.

        A break is tampering while the head stands still, and a ConflictError when another writer
        has moved it.
        """
        async for moment in self.moments(size):
            yield moment.pairs

    async def moments(self, size: int) -> AsyncIterator[Moment]:
        """Yield what ``batches`` does, with links and heads."""
        chain, place = HistoryVerifier(self._ledger), FIRST_ROW
        first: Head | None = None
        while True:
            head, rows = await self._after(place, size)
            if place == FIRST_ROW:
                first = head
            try:
                moment = Moment(head, rows, *chain.follow(head, rows))
                if len(rows) < size:
                    chain.finish(head)
            except HistoryTamperedError as error:
                if head == first:
                    raise
                conflict = ConflictError(
                    "The session was changed while it was being read: read it again."
                ).at(self._session_id)
                raise conflict from error
            yield moment
            if len(rows) < size:
                return
            place = rows[-1][0]

    async def _after(self, row_id: int, count: int) -> tuple[Head | None, list[LinkedRow]]:
        return await self._keeper.read(
            lambda heads, conn: heads.after(conn, self._session_id, row_id, count)
        )

    # Changing -----------------------------------------------------------------------------------

    async def append(
        self, values: Sequence[Stored], times: Sequence[int | None] | None = None
    ) -> None:
        """Add a batch at the end, exactly once, also if a connection is lost on the way.

        A time that is None is now.
        """
        dated = _dated(values, times)

        async def once() -> bool:
            return await self._append_to(await self._keeper.current(tail=True), values, dated)

        await self._until_done(once)

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
        dated, restarts = _dated(values, times), self._backend.restarts()
        while True:
            rows, moment = await self.tail(1)
            if (rows[-1][0] if rows else None) != newest:
                return None
            if await self._append_to(moment.head, values, dated):
                break
            restarts.check()
        before = moment.head.version if moment.head else 0
        rows, moment = await self.tail(1)
        if moment.head is None or moment.head.version != before + 1:
            raise ConflictError("The batch was stored, and another writer came right after it.").at(
                self._session_id
            )
        return rows[-1][0]

    async def _append_to(
        self, head: Head | None, values: Sequence[Stored], times: Sequence[int]
    ) -> bool:
        linked, new = self._ledger.append(head, values, times)
        step = self._step(head, new, linked, times)
        return await self._keeper.swap(
            lambda heads, conn: heads.append(conn, step), head, new, adds=True
        )

    async def replace(self, values: Sequence[Stored]) -> None:
        """Put a batch in the place of all rows."""
        times = [_now()] * len(values)

        async def once() -> bool:
            head = await self._keeper.current()
            linked, new = self._ledger.rebuild(head, 0, NO_UID, values, times)
            step = self._step(head, new, linked, times)
            return await self._keeper.swap(
                lambda heads, conn: heads.replace(conn, step), head, new, adds=bool(values)
            )

        await self._until_done(once)

    async def clear(self) -> None:
        """Remove all rows and the session; its head stays and says that there are none."""

        async def once() -> bool:
            head = await self._keeper.current()
            if head is None and not await self._backend.read(
                lambda db, conn: many_of(db).exists(conn, self._session_id)
            ):
                return True
            return await self._clear_behind(head)

        await self._until_done(once)

    async def clear_stale(self, before: datetime) -> bool:
        """Clear the session if it has not been updated since a time; returns whether it was so.

        It is looked at after the head that the clearing builds on, and a writer that comes later
        moves that head: so what is cleared is what was stale. Nothing vouches for ``updated_at``,
        but the link of the newest row does for its time: if that is much younger, it refuses.
        """
        limit = (before - _EPOCH) // timedelta(microseconds=1)
        stale = False

        async def once() -> bool:
            nonlocal stale
            _, moment = await self.tail(1)
            stale = await self._backend.read(
                lambda db, conn: many_of(db).not_updated_since(conn, self._session_id, before)
            )
            if stale and moment.links and moment.links[-1].time >= limit:
                if moment.links[-1].time >= limit + _CLOCKS_DIFFER:
                    self._ledger.refuse("its newest row is younger than its session's updated_at")
                stale = False
            return not stale or await self._clear_behind(moment.head)

        await self._until_done(once)
        return stale

    async def _clear_behind(self, head: Head | None) -> bool:
        _, new = self._ledger.rebuild(head, 0, NO_UID, (), ())
        step = self._step(head, new)
        return await self._keeper.swap(lambda heads, conn: heads.clear(conn, step), head, new)

    async def renew(self) -> None:
        """Put the head under the primary key, where it is not; the rows stay as they are."""

        async def once() -> bool:
            head = await self._keeper.current()
            if head is None or self._ledger.is_current(head):
                return True
            new = self._ledger.make_head(head.version + 1, head.count, head.last)
            step = self._step(head, new)
            return await self._keeper.swap(lambda heads, conn: heads.swap(conn, step), head, new)

        await self._until_done(once)

    async def claim(self, row_id: int, moment: Moment) -> bool:
        """Delete a row of ``tail`` while the head is the one that was read with it.

        Rows behind it, which were passed over, are linked to the row before it.
        """
        head, rows, links, values = moment
        if head is None:
            return False
        place = [row[0] for row in rows].index(row_id)
        behind, cut = rows[place + 1 :], links[place]
        linked, new = self._ledger.rebuild(
            head, cut.position - 1, cut.previous, values[place + 1 :], [row[2] for row in behind]
        )
        step = self._step(head, new)
        changes = [
            Change(self._session_id, row[0], row[1], value)
            for row, value in zip(behind, linked, strict=True)
        ]

        def pop(heads: Heads, conn: Connection) -> bool:
            if not changes:
                return heads.pop(conn, step, row_id)
            return heads.drop(conn, step, row_id, changes)

        return await self._keeper.swap(pop, head, new, single=not changes)

    async def splice(
        self, expected: Sequence[Row], doomed: set[int], values: Sequence[Stored]
    ) -> bool:
        """Remove rows and add a batch at the end, while the latest rows are the expected."""
        moment = await self.whole()
        head, rows, links, kept = moment
        if head is None or moment.pairs[len(rows) - len(expected) :] != list(expected):
            return False
        # What lies before the first doomed row stays as it is; the others are linked anew.
        start = next((k for k, row in enumerate(rows) if row[0] in doomed), len(rows))
        stay = [k for k in range(start, len(rows)) if rows[k][0] not in doomed]
        batch = [kept[k] for k in stay] + list(values)
        times = [rows[k][2] for k in stay] + [_now()] * len(values)
        last, place = (links[start - 1].uid, rows[start - 1][0]) if start else (NO_UID, FIRST_ROW)
        linked, new = self._ledger.rebuild(head, start, last, batch, times)
        step, adds = self._step(head, new, linked, times), bool(batch)
        return await self._keeper.swap(
            lambda heads, conn: heads.splice(conn, step, place), head, new, adds=adds, single=False
        )

    def _step(
        self, head: Head | None, new: Head, values: Sequence[Stored] = (), times: Sequence[int] = ()
    ) -> Step:
        return Step(self._session_id, head.raw if head else None, new.raw, values, times)

    async def _until_done(self, once: Callable[[], Awaitable[bool]]) -> None:
        """Try a change until nobody comes between; raises ConflictError after a bounded time."""
        if await once():
            return
        restarts = self._backend.restarts()
        # Writers of this process now wait for one another, rather than outrun each other.
        async with self._backend.gate_of(self._session_id):
            while not await once():
                restarts.check()


def _now() -> int:
    """Return the time in whole seconds: every database can store it."""
    return int(time.time()) * _MICROS


def _dated(values: Sequence[Stored], times: Sequence[int | None] | None) -> list[int]:
    now = _now()
    if times is None:
        return [now] * len(values)
    return [now if moment is None else moment for moment in times]
