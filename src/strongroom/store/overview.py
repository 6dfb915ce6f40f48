"""What a store holds: its sessions, their removal, and its statistics."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom.codec.describe import describe
from strongroom.errors import (
    EnvelopeError,
    HistoryTamperedError,
    StrongroomError,
    UnknownKeyError,
)
from strongroom.format.ledger import without_link
from strongroom.history.ledgered import LinkedHistory
from strongroom.sql.dialects.store_registry import Head, SessionRow, many_of
from strongroom.store.walk import check_prefix, walk_heads, walk_sessions

if TYPE_CHECKING:
    from strongroom.store.store import SessionStore

logger = logging.getLogger("strongroom")

_STATS_ROWS = 1000
_ENCRYPTED_SESSION = re.compile(r'\s*\{\s*"__enc__"\s*:\s*1\s*[,}]')


@dataclass(frozen=True, kw_only=True)
class SessionInfo:
    """A session and how many rows it has; the times are aware, in UTC.

    A time that is no time in the table is None.
    """

    session_id: str
    created_at: dt.datetime | None
    updated_at: dt.datetime | None
    items: int


@dataclass(frozen=True, kw_only=True)
class Stats:
    """What a store holds, as far as can be told without a key.

    ``bytes`` is that of the values as they are stored. ``formats`` counts rows by codec spec, or by
    the format of what is no row of strongroom's: ``encrypted-session``, ``fernet-token``,
    ``damaged``, ``unknown``. ``key_ids`` counts rows by the key that sealed them.
    """

    sessions: int
    rows: int
    bytes: int
    formats: Mapping[str, int]
    key_ids: Mapping[str, int]


async def list_sessions(
    store: SessionStore,
    prefix: str | None,
    updated_before: dt.datetime | None,
    updated_after: dt.datetime | None,
    after: str | None,
    limit: int,
) -> list[SessionInfo]:
    """Return a page of sessions, by the bytes of their ids."""
    check_prefix(prefix)
    if limit < 0:
        raise ValueError(f"limit is 0 or more, not {limit}.")
    before, since = to_utc("updated_before", updated_before), to_utc("updated_after", updated_after)
    rows = await store.backend.read(
        lambda db, conn: many_of(db).session_page(
            conn,
            after=after,
            prefix=prefix,
            updated_before=before,
            updated_after=since,
            limit=limit,
        )
    )
    return [SessionInfo(**row._asdict()) for row in rows]


async def delete_session(store: SessionStore, session_id: str) -> bool:
    """Remove one session."""
    store.check_session_id(session_id)
    if store.ledger is not None:
        # A ledger remembers that there was a session: its head stays.
        existed = await store.backend.read(lambda db, conn: many_of(db).exists(conn, session_id))
        await store.history(session_id).clear()
        return existed
    return await store.backend.write(
        lambda db, conn: many_of(db).delete_session(conn, session_id), single=True
    )


async def delete_sessions(
    store: SessionStore, updated_before: dt.datetime, prefix: str | None, batch_size: int
) -> int:
    """Remove the sessions that were last updated before a time."""
    check_prefix(prefix)
    if batch_size < 1:
        raise ValueError(f"batch_size is 1 or more, not {batch_size}.")
    before = to_utc("updated_before", updated_before)
    if before is None:
        raise ValueError("updated_before is needed: it says which sessions go.")
    limit, deleted = before, 0
    pages = walk_sessions(store, prefix=prefix, updated_before=limit, batch=batch_size)
    if store.ledger is not None:
        return await _clear_stale(store, pages, limit)
    async for page in pages:
        names = [row.session_id for row in page]
        deleted += await store.backend.write(
            lambda db, conn: many_of(db).delete_stale(conn, names, limit)  # noqa: B023 - awaited here
        )
    return deleted


async def _clear_stale(
    store: SessionStore, pages: AsyncIterator[list[SessionRow]], before: dt.datetime
) -> int:
    """Clear sessions that have a ledger, each by itself; raises in the end if one is refused."""
    deleted = refused = 0
    first: StrongroomError | None = None
    async for page in pages:
        for session in page:
            history = store.history(session.session_id)
            assert isinstance(history, LinkedHistory)  # noqa: S101 - the store has a ledger
            try:
                deleted += await history.clear_stale(before)
            except (HistoryTamperedError, UnknownKeyError) as error:
                logger.warning("A session was not deleted: %s: %s", type(error).__name__, error)
                first = first or error
                refused += 1
    if first is not None:
        logger.warning("Sessions deleted: %d; refused, and still there: %d.", deleted, refused)
        raise first
    return deleted


async def stats(store: SessionStore) -> Stats:
    """Count what a store holds, by the heads of its rows."""
    rows = size = 0
    formats: Counter[str] = Counter()
    key_ids: Counter[str] = Counter()
    async for heads in walk_heads(store, batch_rows=_STATS_ROWS):
        rows += len(heads)
        for head in heads:
            size += head.size
            spec, key_id = _describe(head)
            formats[spec] += 1
            if key_id is not None:
                key_ids[key_id] += 1
    sessions = await store.backend.read(lambda db, conn: many_of(db).count_sessions(conn))
    return Stats(
        sessions=sessions,
        rows=rows,
        bytes=size,
        formats=dict(formats.most_common()),
        key_ids=dict(key_ids.most_common()),
    )


def _describe(row: Head) -> tuple[str, str | None]:
    """Return the spec or format, and the key id, of a row of which the beginning is known."""
    try:
        head = without_link(row.head)
        text = head if isinstance(head, str) else head.decode("latin-1")
        if text[:1] in {"{", "[", '"'}:
            # Not parsed, as it is a part of the document only.
            return ("encrypted-session" if _ENCRYPTED_SESSION.match(text) else "json"), None
        if isinstance(head, str) and row.size > len(row.head):
            head = head[: len(head) // 4 * 4]  # where its base64 may be cut
        info = describe(head)
    except EnvelopeError:
        return "damaged", None
    return info.spec, info.key_id


def to_utc(name: str, time: dt.datetime | None) -> dt.datetime | None:
    """Return an aware time in UTC; ValueError for a naive one, whose zone nobody knows."""
    if time is None:
        return None
    if time.utcoffset() is None:
        raise ValueError(
            f"{name} is a datetime with a time zone, such as "
            f"datetime.now(timezone.utc) - timedelta(days=30)."
        )
    return time.astimezone(dt.UTC)
