"""Reading every row of a store, to know that each opens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from strongroom.codec.guards import Outcome
from strongroom.core.core import Core
from strongroom.errors import DecodeError, StrongroomError
from strongroom.maintenance.progress import Meter, Progress
from strongroom.maintenance.report import Failure, Failures
from strongroom.maintenance.verify_histories import HistoriesCheck
from strongroom.sql import raw_ids
from strongroom.sql.rows import StoredRow
from strongroom.store.row_decoder import RowDecoder
from strongroom.store.store import SessionStore, core_of
from strongroom.store.walk import BATCH_BYTES, BATCH_ROWS, walk, walk_sessions


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """How many rows were read, and what cannot be read.

    ``failures`` lists the first 1,000 of the ``failed`` rows and sessions. A row has failed that
    does not open, or whose ``created_at`` is no time; a session whose id is not text, one of whose
    times is no time, or that its ledger does not vouch for. A session that only the witness knows
    is named by its key there, 64 hexadecimal digits.
    """

    rows: int
    failed: int
    failures: tuple[Failure, ...]

    @property
    def ok(self) -> bool:
        """Return whether everything can be read."""
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

    ``prefix`` is of session ids. The store may be in use meanwhile. Under a ledger each history is
    verified, also where only its head or its rows are left. A witness that lists its ``keys`` is
    compared with the heads, but not under a prefix, since its keys do not tell the session ids.
    """
    core, failures = core_of(store), Failures()
    meter = await Meter.of_rows(progress, "verify", core, prefix)
    if core.ledger is not None:
        check = HistoriesCheck(core, core.ledger, failures, meter)
        rows = await check.run(prefix)
    else:
        rows = await _verify_rows(core, prefix, failures, meter, batch_rows, batch_bytes)
    await _verify_sessions(core, prefix, failures)
    meter.finish()
    return VerifyReport(rows=rows, failed=failures.total, failures=failures.listed)


async def _verify_rows(
    core: Core,
    prefix: str | None,
    failures: Failures,
    meter: Meter,
    batch_rows: int,
    batch_bytes: int,
) -> int:
    rows = 0
    decoder = RowDecoder(core)
    async for batch in walk(core, prefix=prefix, batch_rows=batch_rows, batch_bytes=batch_bytes):
        _note(batch.rows, await decoder.decode(batch.rows), failures)
        rows += len(batch.rows)
        meter.add(batch.seen)
    return rows


async def _verify_sessions(core: Core, prefix: str | None, failures: Failures) -> None:
    """Report the sessions whose id or times cannot be read."""
    async for page in walk_sessions(core, prefix=prefix):
        for row in page:
            if not raw_ids.is_text(row.session_id):
                failures.add(row.session_id, None, raw_ids.refusal(row.session_id))
            elif row.created_at is None or row.updated_at is None:
                name = "updated_at" if row.updated_at is None else "created_at"
                failures.add(row.session_id, None, no_time(name))


def _note(rows: Sequence[StoredRow], outcomes: Sequence[Outcome], failures: Failures) -> None:
    """Note the rows that do not open or have no time; no frame that awaits holds an item."""
    for row, outcome in zip(rows, outcomes, strict=True):
        if isinstance(outcome, StrongroomError):
            failures.add(row.session_id, row.row_id, outcome)
        elif row.created_at is None:
            failures.add(row.session_id, row.row_id, no_time("created_at"))


def no_time(column: str) -> DecodeError:
    """Return the error for a time that cannot be read."""
    return DecodeError(
        f"Its {column} in the database is not a time of the years 1 to 9999. Set it by SQL."
    )
