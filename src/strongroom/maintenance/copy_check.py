"""Checking that a copy holds what its source holds, session by session."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

from strongroom.codec.guards import Outcome
from strongroom.core.core import Core
from strongroom.errors import StrongroomError
from strongroom.maintenance.progress import Meter
from strongroom.maintenance.report import MOST_FAILURES
from strongroom.sql import raw_ids
from strongroom.sql.rows import FIRST_ID, StoredRow
from strongroom.store.jsonlines import dump_item
from strongroom.store.row_decoder import RowDecoder
from strongroom.store.walk import BATCH_ROWS, walk, walk_sessions


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """A session that is not the same in both stores, and how many rows it has in each."""

    session_id: str
    source_rows: int
    target_rows: int


async def check_copy(
    source: Core,
    target: Core,
    prefix: str | None,
    meter: Meter,
    batch_rows: int,
    batch_bytes: int,
) -> CopyCheck:
    """Read every session from both stores, and return how they compare."""
    check = CopyCheck(source, target, batch_bytes)
    async for batch in walk(source, prefix=prefix, batch_rows=batch_rows, batch_bytes=batch_bytes):
        await check.take(batch.rows)
        meter.add(batch.seen)
    await check.finish(prefix)
    meter.finish()
    return check


class CopyCheck:
    """Reads sessions from both stores and compares their counts and digests."""

    def __init__(self, source: Core, target: Core, batch_bytes: int) -> None:
        self.sessions = self.rows = self.mismatched = 0
        self.mismatches: list[Mismatch] = []
        self._source = source
        self._target = target
        self._batch_bytes = batch_bytes
        self._key = secrets.token_bytes(32)
        self._source_decoder = RowDecoder(source)
        self._target_decoder = RowDecoder(target)
        self._session_id: str | None = None
        self._digest = _Digest(self._key)

    async def take(self, rows: list[StoredRow]) -> None:
        """Read rows of the source, and the target's where a session ends."""
        outcome = None
        try:
            for row, outcome in zip(rows, await self._source_decoder.decode(rows), strict=True):
                if row.session_id != self._session_id:
                    await self._compare()
                    self._session_id, self._digest = row.session_id, _Digest(self._key)
                self._digest.add(row, outcome)
        finally:
            del outcome  # an error keeps this frame

    async def finish(self, prefix: str | None) -> None:
        """Compare the last session, and those that are empty in the source."""
        await self._compare()
        async for page in walk_sessions(self._source, prefix=prefix, empty=True):
            self.sessions += len(page)
            names = [row.session_id for row in page if raw_ids.is_text(row.session_id)]
            for session_id in await self._filled_in_target(names):
                self._note(session_id, 0, await self._count_in_target(session_id))

    async def _filled_in_target(self, session_ids: list[str]) -> list[str]:
        """Return those of the sessions that have rows in the target."""
        store = (await self._target.runner.statements()).store
        return sorted(await self._target.runner.read(store.newest, session_ids))

    async def _count_in_target(self, session_id: str) -> int:
        session = (await self._target.runner.statements()).session
        return await self._target.runner.read(session.count, session_id)

    async def _compare(self) -> None:
        session_id, mine = self._session_id, self._digest
        if session_id is None:
            return
        self.sessions += 1
        self.rows += mine.count
        if not raw_ids.is_text(session_id):
            self._note(session_id, mine.count, 0)  # no session of the target has this id
            return
        theirs = await self._read_target(session_id, mine)
        if not mine.equals(theirs):
            self._note(session_id, mine.count, theirs.count)

    async def _read_target(self, session_id: str, mine: _Digest) -> _Digest:
        theirs = _Digest(self._key)
        if mine.count < BATCH_ROWS and mine.size < self._batch_bytes:
            # Most sessions are small, and one statement reads one.
            store = (await self._target.runner.statements()).store
            rows = await self._target.runner.read(
                store.session_rows, session_id, FIRST_ID, mine.count + 1
            )
            if len(rows) <= mine.count:
                theirs.add_all(rows, await self._target_decoder.decode(rows))
                return theirs
        async for batch in walk(self._target, session_id=session_id, batch_bytes=self._batch_bytes):
            theirs.add_all(batch.rows, await self._target_decoder.decode(batch.rows))
        return theirs

    def _note(self, session_id: str, source_rows: int, target_rows: int) -> None:
        self.mismatched += 1
        if len(self.mismatches) < MOST_FAILURES:
            self.mismatches.append(
                Mismatch(
                    session_id=raw_ids.shown(session_id),
                    source_rows=source_rows,
                    target_rows=target_rows,
                )
            )


class _Digest:
    """A keyed digest over a session's items; one that cannot be read equals nothing."""

    def __init__(self, key: bytes) -> None:
        self.count = self.size = 0
        self._readable = True
        self._hmac = hmac.new(key, digestmod="sha256")

    def add_all(self, rows: list[StoredRow], outcomes: list[Outcome]) -> None:
        """Take the next items."""
        outcome = None
        try:
            for row, outcome in zip(rows, outcomes, strict=True):
                self.add(row, outcome)
        finally:
            del outcomes, outcome  # an error keeps this frame

    def add(self, row: StoredRow, outcome: Outcome) -> None:
        """Take the next item."""
        self.count += 1
        self.size += len(row.value)
        if isinstance(outcome, StrongroomError):
            self._readable = False
            return
        try:
            text = dump_item(outcome).encode("ascii")
        finally:
            del outcome  # an error keeps this frame
        self._hmac.update(len(text).to_bytes(8, "big") + text)

    def equals(self, other: _Digest) -> bool:
        """Tell whether the items are the same, in the same order."""
        return (
            self._readable
            and other._readable
            and self.count == other.count
            and hmac.compare_digest(self._hmac.digest(), other._hmac.digest())
        )
