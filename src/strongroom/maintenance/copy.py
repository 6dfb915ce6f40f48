"""Copying a store into another database, column type or codec."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from strongroom.codec.guards import Outcome
from strongroom.errors import (
    ConflictError,
    EncodeError,
    HistoryTamperedError,
    StrongroomError,
)
from strongroom.maintenance._report import MOST_FAILURES, Failure, Failures
from strongroom.maintenance.progress import Meter, Progress
from strongroom.maintenance.verify import verify
from strongroom.sql.dialects.store_registry import FIRST_ID, StoredRow, many_of
from strongroom.store.jsonlines import dump_item
from strongroom.store.store import SessionStore
from strongroom.store.transfer import Sink
from strongroom.store.walk import BATCH_BYTES, BATCH_ROWS, Opener, walk, walk_sessions


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """A session that is not the same in both stores, and how many rows it has in each."""

    session_id: str
    source_rows: int
    target_rows: int


@dataclass(frozen=True, kw_only=True)
class CopyReport:
    """What was copied, and how the stores compare.

    ``copied`` counts the rows that this run wrote, ``rows`` and ``sessions`` what was compared.
    ``failures`` lists the first 1,000 of the ``failed`` rows that could not be copied; the rows
    behind one in its session were not copied either. ``mismatches`` lists the first 1,000 of the
    ``mismatched`` sessions.
    """

    sessions: int
    rows: int
    copied: int
    failed: int
    failures: tuple[Failure, ...]
    mismatched: int
    mismatches: tuple[Mismatch, ...]

    @property
    def ok(self) -> bool:
        """Whether every session of the source is the same in the target."""
        return not self.failed and not self.mismatched


async def copy(
    source: SessionStore,
    target: SessionStore,
    *,
    prefix: str | None = None,
    progress: Callable[[Progress], object] | None = None,
    batch_rows: int = BATCH_ROWS,
    batch_bytes: int = BATCH_BYTES,
) -> CopyReport:
    """Copy sessions and items, encoded anew by the target's codec, and compare the stores.

    Order, ``created_at`` and ``updated_at`` are kept. A session's rows in the target have to be
    the first ones of the source's: a second run goes on behind them, and nothing is ever written
    twice or changed. A session that holds something else is left alone, and is a mismatch. In the
    end every session's items are read from both stores, counted, and compared by an HMAC under a
    random key. Writers of the source may go on; what they change meanwhile is a mismatch, so the
    last run is for a source at rest. If the source has a ledger, its histories are verified in the
    end: HistoryTamperedError says that a copy was made of what somebody had changed. A target with
    a ledger notes as ``updated_at`` when it was copied. Raises EncodeError, before a row is copied,
    for a session id that the target's database cannot hold.
    """
    await _copy_sessions(source, target, prefix)
    run = _Copy(source, target, batch_rows, batch_bytes)
    meter = await Meter.of_rows(progress, "copy", source, prefix)
    async for batch in walk(source, prefix=prefix, batch_rows=batch_rows, batch_bytes=batch_bytes):
        await run.take(batch.rows)
        meter.add(batch.seen)
    await run.flush()
    meter.finish()
    comparison = _Comparison(source, target, batch_bytes)
    meter = await Meter.of_rows(progress, "compare", source, prefix)
    async for batch in walk(source, prefix=prefix, batch_rows=batch_rows, batch_bytes=batch_bytes):
        await comparison.take(batch.rows)
        meter.add(batch.seen)
    await comparison.finish(prefix)
    meter.finish()
    if source.ledger is not None:
        await _verify_source(source, prefix)
    return CopyReport(
        sessions=comparison.sessions,
        rows=comparison.rows,
        copied=run.sink.written,
        failed=run.failures.total,
        failures=run.failures.listed,
        mismatched=comparison.mismatched,
        mismatches=tuple(comparison.mismatches),
    )


async def _verify_source(source: SessionStore, prefix: str | None) -> None:
    for failure in (await verify(source, prefix=prefix)).failures:
        if failure.error == HistoryTamperedError.__name__:
            raise HistoryTamperedError(failure.message).at(failure.session_id, failure.row_id)


async def _copy_sessions(source: SessionStore, target: SessionStore, prefix: str | None) -> None:
    """Add the sessions with their times, those without items too."""
    async for page in walk_sessions(source, prefix=prefix):
        rows = sorted((row.session_id, row.created_at, row.updated_at) for row in page)
        for session_id, _, _ in rows:
            try:
                target.check_session_id(session_id)
            except ValueError as error:
                raise EncodeError(str(error)).at(session_id) from error
        await target.backend.write(
            lambda db, conn: many_of(db).add_sessions(conn, rows)  # noqa: B023 - awaited here
        )


class _Copy:
    """Puts the source's rows into the target, session by session."""

    def __init__(
        self, source: SessionStore, target: SessionStore, batch_rows: int, batch_bytes: int
    ) -> None:
        self.sink = Sink(target, batch_rows=batch_rows, batch_bytes=batch_bytes)
        self.failures = Failures()
        self._opener = Opener(source)
        self._given_up: str | None = None

    async def take(self, rows: list[StoredRow]) -> None:
        """Copy rows; behind one that cannot be, nothing more of its session."""
        for row, outcome in zip(rows, await self._opener.open(rows), strict=True):
            if row.session_id == self._given_up:
                continue
            error = outcome if isinstance(outcome, StrongroomError) else None
            if error is None:
                try:
                    await self.sink.add(row.session_id, outcome, row.created_at)
                except EncodeError as refusal:
                    error = refusal
            if error is not None:
                self.failures.add(row.session_id, row.row_id, error)
                self._given_up = row.session_id
            elif self.sink.is_full:
                await self.flush(row.session_id)

    async def flush(self, current: str | None = None) -> None:
        """Write what waits, without the sessions that hold something else in the target."""
        while True:
            try:
                await self.sink.flush()
            except ConflictError as conflict:
                if conflict.session_id is None:
                    raise
                self.sink.drop(conflict.session_id)
                if conflict.session_id == current:
                    self._given_up = current
            else:
                break
        if current is not None:
            self.sink.leave(current)


class _Comparison:
    """Reads sessions from both stores and compares their counts and digests."""

    def __init__(self, source: SessionStore, target: SessionStore, batch_bytes: int) -> None:
        self.sessions = self.rows = self.mismatched = 0
        self.mismatches: list[Mismatch] = []
        self._source = source
        self._target = target
        self._batch_bytes = batch_bytes
        self._key = secrets.token_bytes(32)
        self._opener = Opener(source)
        self._other = Opener(target)
        self._session_id: str | None = None
        self._digest = _Digest(self._key)

    async def take(self, rows: list[StoredRow]) -> None:
        """Read rows of the source, and the target's where a session ends."""
        for row, outcome in zip(rows, await self._opener.open(rows), strict=True):
            if row.session_id != self._session_id:
                await self._compare()
                self._session_id, self._digest = row.session_id, _Digest(self._key)
            self._digest.add(row, outcome)

    async def finish(self, prefix: str | None) -> None:
        """Compare the last session, and those that are empty in the source."""
        await self._compare()
        async for page in walk_sessions(self._source, prefix=prefix, empty=True):
            names = [row.session_id for row in page]
            self.sessions += len(names)
            filled = await self._target.backend.read(
                lambda db, conn: many_of(db).newest(conn, names)  # noqa: B023 - awaited here
            )
            for name in sorted(filled):
                count = await self._target.backend.read(
                    lambda db, conn: many_of(db).count_of(conn, name)  # noqa: B023 - awaited here
                )
                self._note(name, 0, count)

    async def _compare(self) -> None:
        session_id, mine = self._session_id, self._digest
        if session_id is None:
            return
        theirs = await self._read_target(session_id, mine)
        self.sessions += 1
        self.rows += mine.count
        if not mine.equals(theirs):
            self._note(session_id, mine.count, theirs.count)

    async def _read_target(self, session_id: str, mine: _Digest) -> _Digest:
        theirs = _Digest(self._key)
        if mine.count < BATCH_ROWS and mine.size < self._batch_bytes:
            # Most sessions are small, and one statement reads one.
            rows = await self._target.backend.read(
                lambda db, conn: many_of(db).session_rows(
                    conn, session_id, FIRST_ID, mine.count + 1
                )
            )
            if len(rows) <= mine.count:
                theirs.add_all(rows, await self._other.open(rows))
                return theirs
        async for batch in walk(self._target, session_id=session_id, batch_bytes=self._batch_bytes):
            theirs.add_all(batch.rows, await self._other.open(batch.rows))
        return theirs

    def _note(self, session_id: str, source_rows: int, target_rows: int) -> None:
        self.mismatched += 1
        if len(self.mismatches) < MOST_FAILURES:
            self.mismatches.append(
                Mismatch(session_id=session_id, source_rows=source_rows, target_rows=target_rows)
            )


class _Digest:
    """A keyed digest over a session's items; one that cannot be read equals nothing."""

    def __init__(self, key: bytes) -> None:
        self.count = self.size = 0
        self._readable = True
        self._hmac = hmac.new(key, digestmod="sha256")

    def add_all(self, rows: list[StoredRow], outcomes: list[Outcome]) -> None:
        """Take the next items."""
        for row, outcome in zip(rows, outcomes, strict=True):
            self.add(row, outcome)

    def add(self, row: StoredRow, outcome: Outcome) -> None:
        """Take the next item."""
        self.count += 1
        self.size += len(row.value)
        if isinstance(outcome, StrongroomError):
            self._readable = False
        else:
            text = dump_item(outcome).encode("ascii")
            self._hmac.update(len(text).to_bytes(8, "big") + text)

    def equals(self, other: _Digest) -> bool:
        """Tell whether the items are the same, in the same order."""
        return (
            self._readable
            and other._readable
            and self.count == other.count
            and hmac.compare_digest(self._hmac.digest(), other._hmac.digest())
        )
