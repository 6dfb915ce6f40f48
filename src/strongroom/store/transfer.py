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
from strongroom.history.ledgered import LinkedHistory
from strongroom.protocols import Item, Stored
from strongroom.sql.dialects.store_registry import FIRST_ID, MovedError, NewRow, many_of
from strongroom.store.jsonlines import dump_item, dump_line, load_line
from strongroom.store.walk import BATCH_BYTES, BATCH_ROWS, Opener, walk, walk_sessions

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from strongroom.sql.dialects.base.session import Database, Row
    from strongroom.store.store import SessionStore


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NO_TIMES = (dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC))
"""PostgreSQL's driver writes them as the infinities, which are no times."""
_NOT_NEW = "The session to fork into has items already: choose a new id."


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
        if self._store.ledger is not None and created_at in _NO_TIMES:
            raise EncodeError(
                "A ledger cannot record this created_at, which is the first or the last moment "
                "that there is: give the row another one."
            )
        value = self._store.to_column(self._opener.bound(session_id), item)
        (await self._store.backend.prepare()).check_values([value])
        self._waiting.append(_Waiting(session_id, value, created_at, item))
        self._size += len(value)
        if not self._append:
            self._known.setdefault(session_id, None)

    async def flush(self) -> None:
        """Write what waits, all or nothing; raises ConflictError for a session that differs.

        Under a ledger it is all or nothing for each session.
        """
        if self._store.ledger is not None:
            await self._flush_linked()
            return
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

    async def _flush_linked(self) -> None:
        restarts = self._store.backend.restarts()
        while self._waiting:
            session_id = self._waiting[0].session_id
            mine = [waiting for waiting in self._waiting if waiting.session_id == session_id]
            values, times = [row.value for row in mine], [_micros(row.created_at) for row in mine]
            history = self._store.history(session_id)
            assert isinstance(history, LinkedHistory)  # noqa: S101 - the store has a ledger
            if session_id in self._known:
                newest = await history.extend(self._known[session_id], values, times)
                if newest is None:
                    await self._catch_up(session_id)
                    restarts.check()
                    continue
                self._known[session_id] = newest
            else:
                await history.append(values, times)
            self.written += len(mine)
            self.drop(session_id)

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


def _micros(time: dt.datetime | None) -> int | None:
    """Return a time as a ledger has it."""
    return None if time is None else (time - _EPOCH) // dt.timedelta(microseconds=1)


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
    if store.ledger is not None:
        async for line in _export_linked(store, session_id, prefix):
            yield line
        return
    opener = Opener(store)
    async for batch in walk(store, prefix=prefix, session_id=session_id):
        for row, outcome in zip(batch.rows, await opener.open(batch.rows), strict=True):
            if not isinstance(outcome, StrongroomError):
                yield dump_line(row.session_id, row.created_at, outcome)
            elif not (isinstance(outcome, DecodeError) and store.leaves_out(outcome)):
                raise outcome


async def _export_linked(
    store: SessionStore, session_id: str | None, prefix: str | None
) -> AsyncIterator[str]:
    """Yield the lines of histories that are verified as they are read."""
    if session_id is None:
        async for page in walk_sessions(store, prefix=prefix):
            for session in page:
                async for line in _export_linked(store, session.session_id, None):
                    yield line
        return
    name, bound = session_id, store.bind(session_id)
    async for rows in store.history(name).batches(BATCH_ROWS):
        outcomes = await store.decode(bound, [value for _, value in rows])
        times = await _times(store, name, rows)
        for (row_id, _), outcome in zip(rows, outcomes, strict=True):
            if not isinstance(outcome, DecodeError):
                yield dump_line(name, times.get(row_id), outcome)
            elif not store.leaves_out(outcome.at(name, row_id)):
                raise outcome


async def _times(
    store: SessionStore, session_id: str, rows: Sequence[Row]
) -> dict[int, dt.datetime | None]:
    if not rows:
        return {}
    first, last = (session_id, rows[0][0]), (session_id, rows[-1][0])
    found = await store.backend.read(lambda db, conn: many_of(db).rows(conn, first, last))
    return {row.row_id: row.created_at for row in found}


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
    history = store.history(target)
    if isinstance(history, LinkedHistory):
        taken = bool(await history.last(1)) if not values else False
        if taken or (values and await history.extend(None, values) is None):
            raise ValueError(_NOT_NEW)
        return len(values)

    def insert(db: Database, conn: Connection) -> None:
        # The append takes the lock of the session, so that what is counted then is all.
        if values:
            db.append(conn, target, values)
        if many_of(db).count_of(conn, target) != len(values):
            raise ValueError(_NOT_NEW)

    await store.backend.write(insert, single=False)
    return len(values)


async def _sealed_again(
    store: SessionStore, source: str, target: str, upto: int | None
) -> Sequence[Stored]:
    """Read the first rows of a session and encode their items for another one."""
    if store.ledger is not None or upto is None:
        # A history is verified as a whole.
        rows = (await store.history(source).rows())[:upto]
    else:
        rows = await store.backend.read(lambda db, conn: db.after(conn, source, FIRST_ID, upto))
    items = await store.decode(store.bind(source), [value for _, value in rows])
    for (row_id, _), item in zip(rows, items, strict=True):
        if isinstance(item, DecodeError):
            raise item.at(source, row_id)
    return await store.encode(store.bind(target), items)
