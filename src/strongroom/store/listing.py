"""Lists the sessions of a store."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from strongroom.core.core import Core
from strongroom.sql import raw_ids
from strongroom.sql.prefixes import check_prefix


@dataclass(frozen=True, kw_only=True)
class SessionInfo:
    """A session and how many rows it has; the times are aware, in UTC.

    A time is None that is no time in the table, or no time that Python has. Both are None for a
    session that has rows and no row in the table of sessions, or of which only a ledger's head is
    left. A session id of the table that is not UTF-8 has lone surrogates for its bytes, as
    ``os.fsdecode`` puts them into names of files: print it with ``ascii()``.
    """

    session_id: str
    created_at: dt.datetime | None
    updated_at: dt.datetime | None
    items: int


async def list_sessions(
    core: Core,
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
    before = None if updated_before is None else in_utc("updated_before", updated_before)
    since = None if updated_after is None else in_utc("updated_after", updated_after)
    store = (await core.runner.statements()).store
    rows = await core.runner.read(
        store.listing.page,
        after=after,
        prefix=prefix,
        updated_before=before,
        updated_after=since,
        limit=limit,
    )
    if before is None and since is None:
        upto = rows[-1].session_id if rows and len(rows) == limit else None
        rows += await core.runner.read(
            store.unregistered.page, after=after, upto=upto, prefix=prefix, limit=limit
        )
        rows.sort(key=lambda row: raw_ids.order(row.session_id))
    return [SessionInfo(**row._asdict()) for row in rows[:limit]]


def in_utc(name: str, time: dt.datetime) -> dt.datetime:
    """Return an aware time in UTC.

    Raises ValueError for a naive time, whose zone nobody knows, and for one that UTC does not have.
    """
    if time.utcoffset() is None:
        raise ValueError(
            f"{name} is a datetime with a time zone, such as "
            f"datetime.now(timezone.utc) - timedelta(days=30)."
        )
    try:
        return time.astimezone(dt.UTC)
    except OverflowError:
        problem = f"{name} is outside the years 1 to 9999 in UTC."
    raise ValueError(problem)
