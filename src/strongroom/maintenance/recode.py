"""Bringing every row of a store into the store's own codec and primary key, in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from strongroom.core.core import Core
from strongroom.errors import EncodeError, StrongroomError
from strongroom.ledger.ledger import Ledger
from strongroom.maintenance.pace import Pace
from strongroom.maintenance.progress import Meter, Progress
from strongroom.maintenance.report import Failure, Failures
from strongroom.maintenance.written_form import WrittenForm
from strongroom.sql import raw_ids
from strongroom.sql.rows import Change, StoredRow
from strongroom.store.row_decoder import RowDecoder
from strongroom.store.store import SessionStore, core_of
from strongroom.store.walk import BATCH_BYTES, walk, walk_headed

_BATCH_ROWS = 200


@dataclass(frozen=True, kw_only=True)
class RecodeReport:
    """Counts the rows that were rewritten, and those that could not be.

    ``rows`` is how many rows the last pass saw, ``recoded`` how many were rewritten in all
    passes; in a dry run, how many would be. ``failures`` lists the first 1,000 of the ``failed``
    rows, which do not open, or hold what the store's codec cannot write, and of the sessions whose
    head does not verify; they are as they were.
    """

    rows: int
    recoded: int
    failed: int
    failures: tuple[Failure, ...]
    passes: int
    dry_run: bool

    @property
    def ok(self) -> bool:
        """Return whether no row was left behind."""
        return not self.failed


async def recode(
    store: SessionStore,
    *,
    prefix: str | None = None,
    dry_run: bool = False,
    rows_per_second: float | None = None,
    progress: Callable[[Progress], object] | None = None,
    batch_rows: int = _BATCH_ROWS,
    batch_bytes: int = BATCH_BYTES,
) -> RecodeReport:
    """Rewrite every row that the store's codec, under its primary key, would write otherwise.

    The store's codec has to accept what is there, and every worker has to be able to read what
    this writes. Readers and writers go on meanwhile: a row is replaced only while it is, byte for
    byte, what was read. It goes over the store until a pass finds nothing to do, so it ends only
    once all workers write the new form. Kill it at any time, and start it again.

    Under a ledger each row's link is verified first and then renewed under its primary key, and the
    heads are in the end. A head that does not verify, or whose rows are all gone, is a failure.

    ``prefix`` is of session ids. ``rows_per_second`` limits the rows that are rewritten. A batch
    has at most ``batch_rows`` rows and ``batch_bytes`` bytes of old values, or one row.
    """
    core, pace = core_of(store), Pace(rows_per_second)
    recoded = passes = 0
    while True:
        passes += 1
        run = _Pass(core, dry_run=dry_run)
        meter = await Meter.of_rows(progress, f"pass {passes}", core, prefix)
        await run.rewrite_all(prefix, pace, meter, batch_rows, batch_bytes)
        recoded += run.recoded
        if dry_run or not run.found:
            if core.ledger is not None:
                await _renew_heads(core, core.ledger, prefix, run.failures, dry_run=dry_run)
            return RecodeReport(
                rows=run.rows,
                recoded=recoded,
                failed=run.failures.total,
                failures=run.failures.listed,
                passes=passes,
                dry_run=dry_run,
            )


class _Pass:
    """One walk over the store; ``found`` counts the rows that there was something to do about."""

    def __init__(self, core: Core, *, dry_run: bool) -> None:
        self._form = WrittenForm(core)
        self.rows = self.found = self.recoded = 0
        self.failures = Failures()
        self._core = core
        self._dry_run = dry_run
        self._decoder = RowDecoder(core)

    async def rewrite_all(
        self, prefix: str | None, pace: Pace, meter: Meter, batch_rows: int, batch_bytes: int
    ) -> None:
        """Rewrite those of the store's rows that differ from what the codec would write."""
        async for batch in walk(
            self._core,
            prefix=prefix,
            wanted=self._form.may_differ,
            batch_rows=pace.batch(batch_rows),
            batch_bytes=batch_bytes,
        ):
            await self._rewrite(batch.rows)
            self.rows += batch.seen
            meter.add(batch.seen)
            if batch.rows:
                await pace.after(len(batch.rows))
        meter.finish()

    async def _rewrite(self, rows: list[StoredRow]) -> None:
        changes = await self._changes([row for row in rows if self._form.differs(row.value)])
        self.found += len(changes)
        if self._dry_run:
            self.recoded += len(changes)
        elif changes:
            # A row that is not swapped has been changed or removed since, or is locked: the next
            # pass looks at it again.
            store = (await self._core.runner.statements()).store
            self.recoded += await self._core.runner.write(store.compare_and_swap, changes)

    async def _changes(self, rows: list[StoredRow]) -> list[Change]:
        session = (await self._core.runner.statements()).session
        changes: list[Change] = []
        outcome = None
        try:
            for row, outcome in zip(rows, await self._decoder.decode(rows), strict=True):
                if isinstance(outcome, StrongroomError):
                    self.failures.add(row.session_id, row.row_id, outcome)
                    continue
                try:
                    new = self._decoder.encode(row, outcome)
                    session.check_values([new])
                except EncodeError as error:
                    self.failures.add(row.session_id, row.row_id, error)
                else:
                    changes.append(Change(row.session_id, row.row_id, row.value, new))
        finally:
            del outcome  # an error keeps this frame
        return changes


async def _renew_heads(
    core: Core, ledger: Ledger, prefix: str | None, failures: Failures, *, dry_run: bool
) -> None:
    """Put every head under the ledger's primary key; note those that do not verify."""
    async for names in walk_headed(core, prefix=prefix):
        for name in names:
            if not raw_ids.is_text(name):
                failures.add(name, None, raw_ids.refusal(name))
                continue
            history = core.ledgered_history(name, ledger)
            try:
                await history.last(1)
                if not dry_run:
                    await history.renew()
            except StrongroomError as error:
                failures.add(name, error.row_id, error)
