"""Items on their way into a store, out of it, and from one session of it to another."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from strongroom.errors import (
    ConflictError,
    DecodeError,
    EncodeError,
    PayloadError,
    StrongroomError,
)
from strongroom.jsonlines import dump_item, dump_line, load_line
from strongroom.protocols import Item, Stored
from strongroom.scan import BATCH_BYTES, BATCH_ROWS, Opener, walk
from strongroom.sql.many import FIRST_ID, MovedError, NewRow, StoredRow, many_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from strongroom.sql.base import Database
    from strongroom.store import SessionStore


class LineError(PayloadError):
    """A line that cannot be imported; ``line`` is its number, from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"Line {line} is no line of an export: {problem}.")
        self.line = line


class _Waiting(NamedTuple):
    session_id: str
    value: Stored
    created_at: dt.datetime | None
    item: Item


class Sink:
    """Takes items in order and appends them to their sessions, in batches.

    What a session holds already has to be the beginning of what comes for it, and is not written
    again: so the same run, repeated after it was killed, goes on where it stopped. ``append`` does
    without that, and adds everything.
    """

    def __init__(
        self,
        store: SessionStore,
        *,
        append: bool = False,
        batch_rows: int = BATCH_ROWS,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self.written = 0
        self._store = store
        self._append = append
        self._batch_rows = batch_rows
        self._batch_bytes = batch_bytes
        self._opener = Opener(store)
        self._waiting: list[_Waiting] = []
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
        value = self._store.to_column(self._opener.bound(session_id).encode(item))
        (await self._store.backend.prepare()).check_values([value])
        self._waiting.append(_Waiting(session_id, value, created_at, item))
        self._size += len(value)
        if not self._append:
            self._known.setdefault(session_id, None)

    async def flush(self) -> None:
        """Write what waits, all or nothing; raises ConflictError for a session that differs."""
        restarts = self._store.backend.restarts()
        while self._waiting:
            names = {waiting.session_id for waiting in self._waiting}
            expected = {name: self._known[name] for name in names if name in self._known}
            rows = [NewRow(*waiting[:3]) for waiting in self._waiting]
            try:
                newest = await self._store.backend.write(
                    lambda db, conn: many_of(db).extend(conn, expected, rows),  # noqa: B023 - awaited here
                    single=False,
                )
            except MovedError as moved:
                session_ids = sorted(moved.session_ids)
            else:
                self._known.update((name, newest[name]) for name in expected)
                self.written += len(rows)
                self._keep([])
                return
            for session_id in session_ids:
                await self._catch_up(session_id)
            restarts.check()

    def drop(self, session_id: str) -> None:
        """Forget what waits for a session."""
        self._keep([waiting for waiting in self._waiting if waiting.session_id != session_id])

    def leave(self, session_id: str) -> None:
        """Note that nothing more comes for any session but this one."""
        self._known = {name: row for name, row in self._known.items() if name == session_id}

    def _keep(self, waiting: list[_Waiting]) -> None:
        self._waiting = waiting
        self._size = sum(len(item.value) for item in waiting)

    async def _catch_up(self, session_id: str) -> None:
        """Pass over what the session holds already; ConflictError if it is something else."""
        mine = [waiting for waiting in self._waiting if waiting.session_id == session_id]
        after = self._known[session_id]
        first = FIRST_ID if after is None else after
        rows = await self._store.backend.read(
            lambda db, conn: many_of(db).session_rows(conn, session_id, first, len(mine))
        )
        outcomes = await self._opener.open(rows)
        for waiting, outcome in zip(mine, outcomes, strict=False):
            if isinstance(outcome, StrongroomError) or dump_item(outcome) != dump_item(
                waiting.item
            ):
                raise _differs(session_id)
        if not rows:
            raise _differs(session_id)  # Rows that had been there are gone.
        self._known[session_id] = rows[-1].row_id
        passed = {id(waiting) for waiting in mine[: len(rows)]}
        self._keep([waiting for waiting in self._waiting if id(waiting) not in passed])


def _differs(session_id: str) -> ConflictError:
    return ConflictError(
        "The session holds other items already than those that are to be written: nothing was "
        "added to it. Delete it first, or choose another store."
    ).at(session_id)


async def export_items(
    store: SessionStore, session_id: str | None, prefix: str | None
) -> AsyncIterator[str]:
    """Yield a line for each item; rows that cannot be read raise, or are left out."""
    if session_id is not None:
        store.check_session_id(session_id)
        if prefix is not None:
            raise ValueError("Pass session_id or prefix, not both.")
    opener = Opener(store)
    async for batch in walk(store, prefix=prefix, session_id=session_id):
        for row, outcome in zip(batch.rows, await opener.open(batch.rows), strict=True):
            if not isinstance(outcome, StrongroomError):
                yield dump_line(row.session_id, row.created_at, outcome)
            elif not (isinstance(outcome, DecodeError) and store.leaves_out(outcome)):
                raise outcome


async def import_items(
    store: SessionStore,
    lines: AsyncIterable[str] | Iterable[str],
    *,
    append: bool,
    batch_rows: int,
) -> int:
    """Write the items of an export; returns how many were written."""
    if batch_rows < 1:
        raise ValueError(f"batch_rows is 1 or more, not {batch_rows}.")
    sink = Sink(store, append=append, batch_rows=batch_rows)
    number = 0
    async for line in _each(lines):
        number += 1
        if not line.strip():
            continue
        record = load_line(line)
        if isinstance(record, str):
            del line
            raise LineError(number, record)
        session_id, created_at, item = record
        try:
            store.check_session_id(session_id)
            await sink.add(session_id, item, created_at)
        except EncodeError as error:
            raise EncodeError(f"Line {number}: {error.message}", path=error.path).at(
                session_id
            ) from error
        except ValueError as error:
            raise LineError(number, str(error).rstrip(".")) from error
        if sink.is_full:
            await sink.flush()
    await sink.flush()
    return sink.written


async def _each(lines: AsyncIterable[str] | Iterable[str]) -> AsyncIterator[str]:
    if isinstance(lines, AsyncIterable):
        async for line in lines:
            yield line
    else:
        for line in lines:
            yield line


async def fork(store: SessionStore, source: str, target: str, upto: int | None) -> int:
    """Copy the beginning of a session into a new one; returns the number of items."""
    store.check_session_id(source)
    store.check_session_id(target)
    if upto is not None and upto < 0:
        raise ValueError(f"upto is 0 or more, or None for all items; not {upto}.")
    values = await _sealed_again(store, source, target, upto) if upto != 0 else []

    def insert(db: Database, conn: Connection) -> None:
        # The append takes the lock of the session, so that what is counted then is all.
        if values:
            db.append(conn, target, values)
        if many_of(db).count_of(conn, target) != len(values):
            raise ValueError("The session to fork into has items already: choose a new id.")

    await store.backend.write(insert, single=False)
    return len(values)


async def _sealed_again(
    store: SessionStore, source: str, target: str, upto: int | None
) -> Sequence[Stored]:
    """Read the first rows of a session and encode their items for another one."""
    rows = await store.backend.read(
        lambda db, conn: (
            db.rows(conn, source) if upto is None else db.after(conn, source, FIRST_ID, upto)
        )
    )
    opener = Opener(store)
    stored = [StoredRow(source, row_id, value, None) for row_id, value in rows]
    items = await opener.open(stored)
    for item in items:
        if isinstance(item, StrongroomError):
            raise item
    return await store.encode(store.bind(target), items)
