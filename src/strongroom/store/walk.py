"""Walking over the rows of a whole store, flat in memory, and decoding them."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from strongroom.codec.guards import Outcome
from strongroom.codec.row_codec import RowCodec
from strongroom.errors import EnvelopeError, StrongroomError
from strongroom.format.ledger import without_link
from strongroom.ledger.session_ledger import SessionLedger
from strongroom.protocols import Item, Stored
from strongroom.sql.dialects.store_registry import FIRST_ID, Head, SessionRow, StoredRow, many_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from strongroom.sql.dialects.base.session import Database
    from strongroom.store.store import SessionStore

BATCH_ROWS = 500
BATCH_BYTES = 4 * 1024 * 1024


class Batch(NamedTuple):
    """How many rows were passed, and those of them that were wanted."""

    seen: int
    rows: list[StoredRow]


async def walk_heads(
    store: SessionStore,
    *,
    prefix: str | None = None,
    session_id: str | None = None,
    batch_rows: int = BATCH_ROWS,
) -> AsyncIterator[list[Head]]:
    """Yield the rows of a store, or of one session, without their values, session by session."""
    check_prefix(prefix)
    only = session_id is not None
    many = many_of(await store.backend.prepare())
    place = (session_id, FIRST_ID) if session_id is not None else many.start(prefix)

    def step(db: Database, conn: Connection) -> list[Head]:
        return many_of(db).heads(conn, place, batch_rows, prefix=prefix, only=only)

    while True:
        heads = await store.backend.read(step)
        if heads:
            yield heads
        if len(heads) < batch_rows:
            return
        place = heads[-1][:2]


async def walk_sessions(
    store: SessionStore,
    *,
    prefix: str | None = None,
    updated_before: dt.datetime | None = None,
    empty: bool = False,
    batch: int = BATCH_ROWS,
) -> AsyncIterator[list[SessionRow]]:
    """Yield the sessions of a store, or the ``empty`` ones, nothing counted."""
    check_prefix(prefix)
    place = many_of(await store.backend.prepare()).start(prefix)[0]
    first = True

    def step(db: Database, conn: Connection) -> list[SessionRow]:
        return many_of(db).session_walk(
            conn, place, prefix, batch, first=first, updated_before=updated_before, empty=empty
        )

    while True:
        page = await store.backend.read(step)
        if page:
            yield page
        if len(page) < batch:
            return
        place, first = page[-1].session_id, False


async def walk(
    store: SessionStore,
    *,
    prefix: str | None = None,
    session_id: str | None = None,
    wanted: Callable[[Head], bool] | None = None,
    batch_rows: int = BATCH_ROWS,
    batch_bytes: int = BATCH_BYTES,
) -> AsyncIterator[Batch]:
    """Yield the rows of a store, or of one session; of those with ``wanted`` heads the values.

    A batch holds at most ``batch_bytes`` of values, or one row.
    """
    if batch_rows < 1 or batch_bytes < 1:
        raise ValueError("batch_rows and batch_bytes are 1 or more.")
    async for heads in walk_heads(
        store, prefix=prefix, session_id=session_id, batch_rows=batch_rows
    ):
        for part in _parts(heads, batch_bytes):
            chosen = part if wanted is None else [head for head in part if wanted(head)]
            rows = await _read(store, chosen) if chosen else []
            if wanted is not None:
                keys = {head[:2] for head in chosen}
                rows = [row for row in rows if row[:2] in keys]
            yield Batch(len(part), rows)


async def _read(store: SessionStore, heads: Sequence[Head]) -> list[StoredRow]:
    first, last = heads[0][:2], heads[-1][:2]
    return await store.backend.read(lambda db, conn: many_of(db).rows(conn, first, last))


def _parts(heads: Sequence[Head], most: int) -> Iterator[list[Head]]:
    """Divide rows among reads of so many bytes; a larger row is read alone."""
    part: list[Head] = []
    size = 0
    for head in heads:
        if part and size + head.size > most:
            yield part
            part, size = [], 0
        part.append(head)
        size += head.size
    if part:
        yield part


class Opener:
    """Decodes the rows of a walk; consecutive rows of one session share its subkeys."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._session_id: str | None = None
        self._bound = store.bind("")
        self._ledger: SessionLedger | None = None

    def bound(self, session_id: str) -> RowCodec:
        """Return the codec for a session's rows."""
        if session_id != self._session_id:
            self._bound = self._store.bind(session_id)
            if self._store.ledger is not None:
                self._ledger = self._store.ledger.bind(session_id, self._store.namespace)
            self._session_id = session_id
        return self._bound

    def seal(self, row: StoredRow, item: Item) -> Stored:
        """Return what takes the place of a row's value; raises EncodeError.

        A ledger's link is verified, or an edit would be made to look genuine, and stays.
        """
        value = self._store.to_column(self.bound(row.session_id), item)
        if self._ledger is None:
            return value
        link, _ = self._ledger.open_value(row.value, row.row_id)
        return self._ledger.relink(link, value)

    async def open(self, rows: Sequence[StoredRow]) -> list[Outcome]:
        """Return what each row came to: its item, or the StrongroomError that says where."""
        outcomes: list[Outcome] = []
        for session_id, group in groupby(rows, key=lambda row: row.session_id):
            bound = self.bound(session_id)
            if self._ledger is not None:
                outcomes += [self._open_linked(bound, self._ledger, row) for row in group]
                continue
            values = [row.value for row in group]
            try:
                outcomes += await self._store.decode(bound, values)
            except StrongroomError:
                # The library that a row needs is not installed: the others may still be read.
                outcomes += [_outcome(bound, value) for value in values]
        for row, outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, StrongroomError):
                outcome.at(row.session_id, row.row_id)
        return outcomes

    @staticmethod
    def _open_linked(bound: RowCodec, ledger: SessionLedger, row: StoredRow) -> Outcome:
        try:
            return bound.decode(ledger.open_value(row.value, row.row_id)[1])
        except StrongroomError as error:
            return error


def unlinked(store: SessionStore, stored: Stored) -> Stored:
    """Return what stands behind the link of a store with a ledger; a damaged link stays."""
    try:
        return stored if store.ledger is None else without_link(stored)
    except EnvelopeError:
        return stored


def _outcome(bound: RowCodec, value: Stored) -> Outcome:
    try:
        return bound.decode(value)
    except StrongroomError as error:
        return error


def check_prefix(prefix: str | None) -> None:
    """Raise ValueError for a prefix that no session id can have."""
    if prefix is None:
        return
    if "\0" in prefix or any("\ud800" <= character <= "\udfff" for character in prefix):
        raise ValueError("No session id has this prefix: it holds NUL or a lone surrogate.")
