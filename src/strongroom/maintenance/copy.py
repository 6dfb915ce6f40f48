"""Copying a store into another database, column type or codec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter

from strongroom.codec.guards import Outcome
from strongroom.core.core import Core
from strongroom.errors import ConflictError, EncodeError, HistoryTamperedError, StrongroomError
from strongroom.maintenance.copy_check import Mismatch, check_copy
from strongroom.maintenance.progress import Meter, Progress
from strongroom.maintenance.report import Failure, Failures
from strongroom.maintenance.verify import no_time, verify
from strongroom.sql import raw_ids
from strongroom.sql.rows import SessionTimes, StoredRow
from strongroom.store.row_decoder import RowDecoder
from strongroom.store.sink import Sink
from strongroom.store.store import SessionStore, core_of
from strongroom.store.walk import BATCH_BYTES, BATCH_ROWS, walk, walk_sessions


@dataclass(frozen=True, kw_only=True)
class CopyReport:
    """Counts the rows that were copied, and says how the stores compare.

    ``copied`` counts the rows that this run wrote, ``rows`` and ``sessions`` what was compared.
    ``failures`` lists the first 1,000 of the ``failed`` rows that could not be copied; the rows
    behind one in its session were not copied either. It also lists sessions whose id is not text,
    which were not copied, and rows and sessions with a time that cannot be read, which were, and
    have the time of the copy. ``mismatches`` lists the first 1,000 of the ``mismatched`` sessions.
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
        """Return whether every session of the source is the same in the target."""
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
    here, there = core_of(source), core_of(target)
    run = _Copy(here, there, batch_rows, batch_bytes)
    await _copy_sessions(here, there, prefix, run.failures)
    meter = await Meter.of_rows(progress, "copy", here, prefix)
    async for batch in walk(here, prefix=prefix, batch_rows=batch_rows, batch_bytes=batch_bytes):
        await run.take(batch.rows)
        meter.add(batch.seen)
    await run.flush()
    meter.finish()
    meter = await Meter.of_rows(progress, "compare", here, prefix)
    check = await check_copy(here, there, prefix, meter, batch_rows, batch_bytes)
    if source.ledger is not None:
        await _verify_source(source, prefix)
    return CopyReport(
        sessions=check.sessions,
        rows=check.rows,
        copied=run.sink.written,
        failed=run.failures.total,
        failures=run.failures.listed,
        mismatched=check.mismatched,
        mismatches=tuple(check.mismatches),
    )


async def _verify_source(source: SessionStore, prefix: str | None) -> None:
    for failure in (await verify(source, prefix=prefix)).failures:
        if failure.error == HistoryTamperedError.__name__:
            raise HistoryTamperedError(failure.message).at(failure.session_id, failure.row_id)


async def _copy_sessions(
    source: Core, target: Core, prefix: str | None, failures: Failures
) -> None:
    """Add the sessions with their times, those without items too."""
    async for page in walk_sessions(source, prefix=prefix):
        rows: list[SessionTimes] = []
        for row in page:
            if not raw_ids.is_text(row.session_id):
                failures.add(row.session_id, None, raw_ids.refusal(row.session_id))
                continue
            for name, time in (("created_at", row.created_at), ("updated_at", row.updated_at)):
                if time is None:
                    failures.add(row.session_id, None, no_time(name))
            _check_id(target, row.session_id)
            rows.append((row.session_id, row.created_at, row.updated_at))
        if rows:
            store = (await target.runner.statements()).store
            await target.runner.write(store.add_sessions, sorted(rows, key=itemgetter(0)))


def _check_id(target: Core, session_id: str) -> None:
    """Raise EncodeError for a session id that the target cannot hold."""
    try:
        target.check_session_id(session_id)
    except ValueError as error:
        raise EncodeError(str(error)).at(session_id) from error


class _Copy:
    """Puts the source's rows into the target, session by session."""

    def __init__(self, source: Core, target: Core, batch_rows: int, batch_bytes: int) -> None:
        self.sink = Sink(target, batch_rows=batch_rows, batch_bytes=batch_bytes)
        self.failures = Failures()
        self._decoder = RowDecoder(source)
        self._target = target
        self._given_up: str | None = None

    async def take(self, rows: list[StoredRow]) -> None:
        """Copy rows; behind one that cannot be, nothing more of its session."""
        outcome = None
        try:
            for row, outcome in zip(rows, await self._decoder.decode(rows), strict=True):
                if row.session_id != self._given_up:
                    await self._take_one(row, outcome)
        finally:
            del outcome  # an error keeps this frame

    async def _take_one(self, row: StoredRow, outcome: Outcome) -> None:
        error = outcome if isinstance(outcome, StrongroomError) else None
        created_at = None if error else self._decoder.created_at(row)
        try:
            if error is None:
                _check_id(self._target, row.session_id)
                await self.sink.add(row.session_id, outcome, created_at)
        except EncodeError as refusal:
            error = refusal
        finally:
            del outcome  # an error keeps this frame
        if error is not None:
            self.failures.add(row.session_id, row.row_id, error)
            self._given_up = row.session_id
            return
        if created_at is None:
            self.failures.add(row.session_id, row.row_id, no_time("created_at"))
        if self.sink.is_full:
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
