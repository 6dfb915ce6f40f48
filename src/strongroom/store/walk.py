"""Walking over the rows of a whole store, flat in memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from strongroom.core.core import Core
from strongroom.sql.prefixes import check_prefix
from strongroom.sql.rows import FIRST_ID, RowPrefix, SessionRow, StoredRow

BATCH_ROWS = 500
BATCH_BYTES = 4 * 1024 * 1024


class Batch(NamedTuple):
    """How many rows were passed, and those of them that were wanted."""

    seen: int
    rows: list[StoredRow]


async def walk_prefixes(
    core: Core,
    *,
    prefix: str | None = None,
    session_id: str | None = None,
    batch_rows: int = BATCH_ROWS,
) -> AsyncIterator[list[RowPrefix]]:
    """Yield the rows of a store, or of one session, without their values, session by session."""
    check_prefix(prefix)
    only = session_id is not None
    store = (await core.runner.statements()).store
    place = (session_id, FIRST_ID) if session_id is not None else store.columns.start(prefix)
    while True:
        rows = await core.runner.read(
            store.row_prefixes, place, batch_rows, prefix=prefix, only=only
        )
        if rows:
            yield rows
        if len(rows) < batch_rows:
            return
        place = rows[-1][:2]


async def walk_sessions(
    core: Core,
    *,
    prefix: str | None = None,
    updated_before: dt.datetime | None = None,
    empty: bool = False,
    batch: int = BATCH_ROWS,
) -> AsyncIterator[list[SessionRow]]:
    """Yield the sessions of a store, or the ``empty`` ones, nothing counted.

    ``updated_before`` leaves in those whose time of update cannot be read, which is None.
    """
    check_prefix(prefix)
    store = (await core.runner.statements()).store
    place, first = store.columns.start(prefix)[0], True
    while True:
        page = await core.runner.read(
            store.listing.walk,
            *(place, prefix, batch),
            first=first,
            updated_before=updated_before,
            empty=empty,
        )
        if page:
            yield page
        if len(page) < batch:
            return
        place, first = page[-1].session_id, False


async def walk_unregistered(
    core: Core, *, prefix: str | None = None, batch: int = BATCH_ROWS
) -> AsyncIterator[list[str]]:
    """Yield the ids that have a head or messages, and no row in the table of sessions.

    A session that was cleared under a ledger has a head.
    """
    lost = (await core.runner.statements()).store.unregistered
    for find in (lost.headed, lost.headless):
        async for names in _walk_names(core, find, prefix, batch):
            yield names


async def walk_headed(core: Core, *, prefix: str | None = None) -> AsyncIterator[list[str]]:
    """Yield the ids of all sessions that a ledger has a head for."""
    heads = (await core.runner.statements()).store.unregistered
    find = partial(heads.headed, every=True)
    async for names in _walk_names(core, find, prefix, BATCH_ROWS):
        yield names


async def _walk_names(
    core: Core, find: Callable[..., list[str]], prefix: str | None, batch: int
) -> AsyncIterator[list[str]]:
    check_prefix(prefix)
    place, first = (await core.runner.statements()).store.columns.start(prefix)[0], True
    while True:
        names = await core.runner.read(find, place, prefix, batch, first=first)
        if names:
            yield names
        if len(names) < batch:
            return
        place, first = names[-1], False


async def walk_ids(core: Core, *, prefix: str | None = None) -> AsyncIterator[list[str]]:
    """Yield the ids of all sessions, also of those that have no row in the table of sessions."""
    async for page in walk_sessions(core, prefix=prefix):
        yield [row.session_id for row in page]
    async for names in walk_unregistered(core, prefix=prefix):
        yield names


async def walk(
    core: Core,
    *,
    prefix: str | None = None,
    session_id: str | None = None,
    wanted: Callable[[RowPrefix], bool] | None = None,
    batch_rows: int = BATCH_ROWS,
    batch_bytes: int = BATCH_BYTES,
) -> AsyncIterator[Batch]:
    """Yield the rows of a store, or of one session; of those that are ``wanted`` the values.

    A batch holds at most ``batch_bytes`` of values, or one row.
    """
    if batch_rows < 1 or batch_bytes < 1:
        raise ValueError("batch_rows and batch_bytes are 1 or more.")
    async for prefixes in walk_prefixes(
        core, prefix=prefix, session_id=session_id, batch_rows=batch_rows
    ):
        for part in _parts(prefixes, batch_bytes):
            chosen = part if wanted is None else [row for row in part if wanted(row)]
            rows = await _read(core, chosen) if chosen else []
            if wanted is not None:
                keys = {row[:2] for row in chosen}
                rows = [row for row in rows if row[:2] in keys]
            yield Batch(len(part), rows)


async def _read(core: Core, prefixes: Sequence[RowPrefix]) -> list[StoredRow]:
    store = (await core.runner.statements()).store
    return await core.runner.read(store.rows, prefixes[0][:2], prefixes[-1][:2])


def _parts(prefixes: Sequence[RowPrefix], most: int) -> Iterator[list[RowPrefix]]:
    """Divide rows among reads of so many bytes; a larger row is read alone."""
    part: list[RowPrefix] = []
    size = 0
    for row in prefixes:
        if part and size + row.size > most:
            yield part
            part, size = [], 0
        part.append(row)
        size += row.size
    if part:
        yield part
