"""Reading every row of a store, to know that each opens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from strongroom.errors import StrongroomError
from strongroom.maintenance._report import Failure, Failures, Meter, Progress, refuse_ledger
from strongroom.scan import BATCH_BYTES, BATCH_ROWS, Opener, walk
from strongroom.store import SessionStore


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """How many rows were read, and which did not open.

    ``failures`` lists the first 1,000 of the ``failed`` rows.
    """

    rows: int
    failed: int
    failures: tuple[Failure, ...]

    @property
    def ok(self) -> bool:
        """Whether every row opened."""
        return not self.failed


async def verify(
    store: SessionStore,
    *,
    prefix: str | None = None,
    progress: Callable[[Progress], object] | None = None,
    batch_rows: int = BATCH_ROWS,
    batch_bytes: int = BATCH_BYTES,
) -> VerifyReport:
    """Read every row with the store's codec, and report each that does not open.

    ``prefix`` is of session ids. The store may be in use meanwhile.
    """
    refuse_ledger(store, "verify")
    failures, rows = Failures(), 0
    opener = Opener(store)
    meter = await Meter.of_rows(progress, "verify", store, prefix)
    async for batch in walk(store, prefix=prefix, batch_rows=batch_rows, batch_bytes=batch_bytes):
        for row, outcome in zip(batch.rows, await opener.open(batch.rows), strict=True):
            if isinstance(outcome, StrongroomError):
                failures.add(row.session_id, row.row_id, outcome)
        rows += len(batch.rows)
        meter.add(batch.seen)
    meter.finish()
    return VerifyReport(rows=rows, failed=failures.total, failures=failures.listed)
