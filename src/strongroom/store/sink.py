"""Appends items to the sessions of a store, in batches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from strongroom.codec.guards import Outcome
from strongroom.core.core import Core
from strongroom.errors import ConflictError, EncodeError, StrongroomError
from strongroom.protocols import Item
from strongroom.sql.retry import Deadline
from strongroom.sql.rows import FIRST_ID, StoredRow
from strongroom.store.batch_writer import WaitingItem, batch_writer
from strongroom.store.jsonlines import dump_item
from strongroom.store.row_decoder import RowDecoder
from strongroom.store.walk import BATCH_BYTES, BATCH_ROWS

_NO_TIMES = (dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC))
"""PostgreSQL's driver writes them as the infinities, which are no times."""


class Sink:
    """Takes items in order and appends them to their sessions, in batches.

    The rows that a session has already have to be the first of those that come for it, and are not
    written again: so the same run, repeated after it was killed, goes on where it stopped.
    ``append`` does without that, and adds everything.
    """

    def __init__(
        self,
        core: Core,
        *,
        append: bool = False,
        batch_rows: int = BATCH_ROWS,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self.written = 0
        self._core = core
        self._append = append
        self._batch_rows = batch_rows
        self._batch_bytes = batch_bytes
        self._decoder = RowDecoder(core)
        self._writer = batch_writer(core)
        self._waiting: list[WaitingItem] = []
        self._size = 0
        # The row up to which a session is known to be as it should, None for its beginning. One
        # entry a session: the lines of one may be scattered over a file.
        self._known: dict[str, int | None] = {}

    @property
    def is_full(self) -> bool:
        """Whether it is time to flush."""
        return len(self._waiting) >= self._batch_rows or self._size >= self._batch_bytes

    async def add(self, session_id: str, item: Item, created_at: dt.datetime | None) -> None:
        """Encode an item, to be written by a later ``flush``; raises EncodeError."""
        if self._core.ledger is not None and created_at in _NO_TIMES:
            raise EncodeError(
                "A ledger cannot record this created_at, which is the first or the last moment "
                "that there is: give the row another one."
            )
        try:
            value = self._core.column_value(self._decoder.codec_of(session_id), item)
        finally:
            del item  # an error keeps this frame
        (await self._core.runner.statements()).session.check_values([value])
        self._waiting.append(WaitingItem(session_id, value, created_at))
        self._size += len(value)
        if not self._append:
            self._known.setdefault(session_id, None)

    async def flush(self) -> None:
        """Write the items that wait, all or nothing; ConflictError for a session that differs.

        Under a ledger it is all or nothing for each session.
        """
        deadline = Deadline()
        while self._waiting:
            names = {waiting.session_id for waiting in self._waiting}
            expected = {name: self._known[name] for name in names if name in self._known}
            written = await self._writer.write(self._waiting, expected)
            self._known.update(
                (name, written.newest[name]) for name in expected.keys() & written.newest.keys()
            )
            self.written += written.rows
            self._keep([row for row in self._waiting if row.session_id not in written.newest])
            for session_id in sorted(written.moved):
                await self._catch_up(session_id)
            if written.moved:
                deadline.check()

    def drop(self, session_id: str) -> None:
        """Forget the items that wait for a session."""
        self._keep([waiting for waiting in self._waiting if waiting.session_id != session_id])

    def leave(self, session_id: str) -> None:
        """Note that nothing more comes for any session but this one."""
        self._known = {name: row for name, row in self._known.items() if name == session_id}

    def _keep(self, waiting: list[WaitingItem]) -> None:
        self._waiting = waiting
        self._size = sum(len(item.value) for item in waiting)

    async def _catch_up(self, session_id: str) -> None:
        """Pass over the rows that the session has already; ConflictError for other ones."""
        mine = [waiting for waiting in self._waiting if waiting.session_id == session_id]
        after = self._known[session_id]
        first = FIRST_ID if after is None else after
        store = (await self._core.runner.statements()).store
        rows = await self._core.runner.read(store.session_rows, session_id, first, len(mine))
        # Without rows, those that had been there are gone.
        if not rows or not await self._hold_same(session_id, rows, mine):
            raise ConflictError(
                "The session holds other items already than those that are to be written: nothing "
                "was added to it. Delete it first, or choose another store."
            ).at(session_id)
        self._known[session_id] = rows[-1].row_id
        passed = {id(waiting) for waiting in mine[: len(rows)]}
        self._keep([waiting for waiting in self._waiting if id(waiting) not in passed])

    async def _hold_same(
        self, session_id: str, rows: Sequence[StoredRow], waiting: Sequence[WaitingItem]
    ) -> bool:
        """Tell whether rows hold the items of the first that wait."""
        values = [item.value for item in waiting[: len(rows)]]
        there = await self._decoder.decode(rows)
        try:
            here = await self._core.decode(self._decoder.codec_of(session_id), values)
            return _are_same(there, here)
        finally:
            there = here = []  # an error keeps this frame


def _are_same(some: Sequence[Outcome], others: Sequence[Outcome]) -> bool:
    """Tell whether all can be read, and are the same items."""
    try:
        return not any(
            isinstance(outcome, StrongroomError) for outcome in (*some, *others)
        ) and list(map(dump_item, some)) == list(map(dump_item, others))
    finally:
        del some, others  # an error keeps this frame
