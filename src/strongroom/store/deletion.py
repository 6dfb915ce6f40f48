"""Deletes the sessions of a store that have not been updated for some time."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import AsyncIterator

from strongroom.core.core import Core
from strongroom.errors import HistoryTamperedError, StrongroomError, UnknownKeyError
from strongroom.ledger.ledger import Ledger
from strongroom.sql import raw_ids
from strongroom.sql.prefixes import check_prefix
from strongroom.store.listing import in_utc
from strongroom.store.walk import walk_sessions

logger = logging.getLogger("strongroom")


async def delete_sessions(
    core: Core, updated_before: dt.datetime, prefix: str | None, batch_size: int
) -> int:
    """Remove the sessions that were last updated before a time."""
    check_prefix(prefix)
    if batch_size < 1:
        raise ValueError(f"batch_size is 1 or more, not {batch_size}.")
    if updated_before is None:
        raise ValueError("updated_before is needed: it says which sessions go.")
    before = in_utc("updated_before", updated_before)
    if core.ledger is not None:
        return await _delete_ledgered(core, core.ledger, before, prefix, batch_size)
    store, deleted = (await core.runner.statements()).store, 0
    async for names in _stale(core, before, prefix, batch_size):
        deleted += await core.runner.write(store.delete_stale, names, before)
    return deleted


async def _stale(
    core: Core, before: dt.datetime, prefix: str | None, batch_size: int
) -> AsyncIterator[list[str]]:
    """Yield the sessions that were last updated before a time; log those that nobody can tell of.

    These stay.
    """
    async for page in walk_sessions(core, prefix=prefix, updated_before=before, batch=batch_size):
        names: list[str] = []
        for row in page:
            if row.updated_at is None:
                _log_kept(row.session_id, "its updated_at cannot be read")
            elif not raw_ids.is_text(row.session_id):
                _log_kept(row.session_id, "its id is not text")
            else:
                names.append(row.session_id)
        if names:
            yield names
    store, after = (await core.runner.statements()).store, None
    while True:
        lost = await core.runner.read(
            store.unregistered.page, after=after, upto=None, prefix=prefix, limit=batch_size
        )
        for row in lost:
            _log_kept(row.session_id, "it has no row in the table of sessions, and no updated_at")
        if len(lost) < batch_size:
            return
        after = lost[-1].session_id


def _log_kept(session_id: str, reason: str) -> None:
    logger.warning("A session was not deleted: %s. [session %r]", reason, raw_ids.shown(session_id))


async def _delete_ledgered(
    core: Core, ledger: Ledger, before: dt.datetime, prefix: str | None, batch_size: int
) -> int:
    """Clear sessions that have a ledger, each by itself; raises in the end if one is refused."""
    deleted = refused = 0
    first: StrongroomError | None = None
    async for names in _stale(core, before, prefix, batch_size):
        for name in names:
            history = core.ledgered_history(name, ledger)
            try:
                deleted += await history.delete_stale(before)
            except (HistoryTamperedError, UnknownKeyError) as error:
                logger.warning("A session was not deleted: %s: %s", type(error).__name__, error)
                first = first or error
                refused += 1
    if first is not None:
        logger.warning("Sessions deleted: %d; refused, and still there: %d.", deleted, refused)
        raise first
    return deleted
