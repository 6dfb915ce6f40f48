"""Counts what a store holds, without a key."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from strongroom.codec.describe import describe
from strongroom.core.core import Core
from strongroom.errors import EnvelopeError
from strongroom.format.ledger import without_link
from strongroom.sql.rows import RowPrefix
from strongroom.store.walk import walk_prefixes

_BATCH_ROWS = 1000
_ENCRYPTED_SESSION = re.compile(r'\s*\{\s*"__enc__"\s*:\s*1\s*[,}]')


@dataclass(frozen=True, kw_only=True)
class Stats:
    """What a store holds, as far as can be told without a key.

    ``sessions`` counts those too that have rows, or a ledger's head that says so, and no row in the
    table of sessions. ``bytes`` is that of the values as they are stored. ``formats`` counts rows
    by codec spec, or by the format of what is no row of strongroom's: ``encrypted-session``,
    ``fernet-token``, ``damaged``, ``unknown``. ``key_ids`` counts rows by the key that sealed them.
    """

    sessions: int
    rows: int
    bytes: int
    formats: Mapping[str, int]
    key_ids: Mapping[str, int]


async def stats(core: Core) -> Stats:
    """Count what a store holds, by the beginnings of its rows."""
    rows = size = 0
    formats: Counter[str] = Counter()
    key_ids: Counter[str] = Counter()
    async for prefixes in walk_prefixes(core, batch_rows=_BATCH_ROWS):
        rows += len(prefixes)
        for row in prefixes:
            size += row.size
            spec, key_id = _describe(row)
            formats[spec] += 1
            if key_id is not None:
                key_ids[key_id] += 1
    return Stats(
        sessions=await _count_sessions(core),
        rows=rows,
        bytes=size,
        formats=dict(formats.most_common()),
        key_ids=dict(key_ids.most_common()),
    )


async def _count_sessions(core: Core) -> int:
    """Count sessions, also those that have rows and no row in the table of sessions."""
    store = (await core.runner.statements()).store
    sessions, after = await core.runner.read(store.listing.count), None
    while True:
        page = await core.runner.read(
            store.unregistered.page, after=after, upto=None, prefix=None, limit=_BATCH_ROWS
        )
        sessions += len(page)
        if len(page) < _BATCH_ROWS:
            return sessions
        after = page[-1].session_id


def _describe(row: RowPrefix) -> tuple[str, str | None]:
    """Return the spec or format, and the key id, of a row of which the beginning is known."""
    try:
        prefix = without_link(row.prefix)
        text = prefix if isinstance(prefix, str) else prefix.decode("latin-1")
        if text[:1] in {"{", "[", '"'}:
            # Not parsed, as it is a part of the document only.
            return ("encrypted-session" if _ENCRYPTED_SESSION.match(text) else "json"), None
        if isinstance(prefix, str) and row.size > len(row.prefix):
            prefix = prefix[: len(prefix) // 4 * 4]  # where its base64 may be cut
        info = describe(prefix)
    except EnvelopeError:
        return "damaged", None
    return info.spec, info.key_id
