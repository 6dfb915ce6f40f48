"""Reading every row of a store, to know that each opens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from strongroom.core.core import Core
from strongroom.errors import ConflictError, DecodeError, StrongroomError
from strongroom.history.protocol import History
from strongroom.ledger.ledger import Ledger
from strongroom.maintenance.progress import Meter, Progress
from strongroom.maintenance.report import Failure, Failures
from strongroom.sql.rows import Row
from strongroom.store.row_decoder import RowDecoder
from strongroom.store.store import SessionStore, core_of
from strongroom.store.walk import BATCH_BYTES, BATCH_ROWS, walk, walk_sessions


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
        """Return whether every row opened."""
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
    core, failures = core_of(store), Failures()
    meter = await Meter.of_rows(progress, "verify", core, prefix)
    if core.ledger is not None:
        rows = await _verify_histories(core, core.ledger, prefix, failures, meter)
    else:
        rows = await _verify_rows(core, prefix, failures, meter, batch_rows, batch_bytes)
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
        failures.add_refused(batch.rows, await decoder.decode(batch.rows))
        rows += len(batch.rows)
        meter.add(batch.seen)
    return rows


async def _verify_histories(
    core: Core, ledger: Ledger, prefix: str | None, failures: Failures, meter: Meter
) -> int:
    """Verify each session as its ledger has it, and those of which only the head is left."""
    rows = 0
    async for page in walk_sessions(core, prefix=prefix):
        for session in page:
            rows += await _verify_history(core, ledger, session.session_id, failures, meter)
    async for names in _headed_ids_without_session(core):
        for name in names:
            if name.startswith(prefix or ""):
                rows += await _verify_history(core, ledger, name, failures, meter)
    return rows


async def _headed_ids_without_session(core: Core) -> AsyncIterator[list[str]]:
    listing, after = (await core.runner.statements()).store.listing, ""
    while True:
        names = await core.runner.read(listing.headed_ids_without_session, after, BATCH_ROWS)
        yield names
        if len(names) < BATCH_ROWS:
            return
        after = names[-1]


async def _verify_history(
    core: Core, ledger: Ledger, session_id: str, failures: Failures, meter: Meter
) -> int:
    seen = 0
    history = core.ledgered_history(session_id, ledger)
    batches = history.batches(BATCH_ROWS)
    while True:
        try:
            async for rows in batches:
                seen += await _verify_batch(core, session_id, rows, failures)
                meter.add(len(rows))
        except ConflictError:
            # Others have changed what was read, so the session is read in one go instead.
            batches, seen = _at_once(history), 0
        except StrongroomError as error:
            failures.add(session_id, error.row_id, error)
            return seen
        else:
            return seen


async def _at_once(history: History) -> AsyncIterator[list[Row]]:
    yield await history.rows()


async def _verify_batch(core: Core, session_id: str, rows: list[Row], failures: Failures) -> int:
    outcomes = await core.decode(core.row_codec(session_id), [value for _, value in rows])
    for (row_id, _), outcome in zip(rows, outcomes, strict=True):
        if isinstance(outcome, DecodeError):
            failures.add(session_id, row_id, outcome)
    return len(rows)
