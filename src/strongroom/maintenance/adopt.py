"""Turning a ledger on for histories that are there already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from strongroom.errors import StrongroomError
from strongroom.maintenance.linking import SessionLinker, ledger_of
from strongroom.maintenance.progress import Meter, Progress
from strongroom.maintenance.report import Failure, Failures
from strongroom.sql import raw_ids
from strongroom.sql.prefixes import check_prefix
from strongroom.store.store import SessionStore, core_of
from strongroom.store.walk import walk_ids


@dataclass(frozen=True, kw_only=True)
class AdoptReport:
    """How many sessions, with how many rows, were linked, and how many had a ledger already.

    ``failures`` lists the first 1,000 of the ``failed`` sessions, which are as they were.
    """

    adopted: int
    rows: int
    skipped: int
    failed: int
    failures: tuple[Failure, ...]

    @property
    def ok(self) -> bool:
        """Return whether every session has a ledger now."""
        return not self.failed


async def adopt(
    store: SessionStore,
    *,
    prefix: str | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> AdoptReport:
    """Link the rows of the sessions that have no ledger yet, as they stand.

    This is trust on first use: earlier changes go unnoticed. A session is linked in
    one transaction that keeps its writers out, or not at all, and one that has a head is left
    alone, so it may be killed and run again. Sessions that have linked rows and no head, or that
    the witness knows, are failures: ``reset`` is for those. Every writer has to have the ledger.
    """
    core = core_of(store)
    ledger = ledger_of(core)
    check_prefix(prefix)
    failures = Failures()
    adopted = rows = skipped = 0
    meter = await Meter.of_rows(progress, "adopt", core, prefix)
    async for names in walk_ids(core, prefix=prefix):
        for name in names:
            if not raw_ids.is_text(name):
                failures.add(name, None, raw_ids.refusal(name))
                continue
            try:
                linked = await _adopt_session(SessionLinker(core, ledger, name))
            except StrongroomError as error:
                failures.add(name, error.row_id, error)
                continue
            if linked is None:
                skipped += 1
            else:
                adopted += linked > 0
                rows += linked
                meter.add(linked)
    meter.finish()
    return AdoptReport(
        adopted=adopted,
        rows=rows,
        skipped=skipped,
        failed=failures.total,
        failures=failures.listed,
    )


async def _adopt_session(linker: SessionLinker) -> int | None:
    """Link the rows of a session; returns how many, None if the session has a head."""
    head, rows = await linker.newest()
    if head is not None:
        return None
    if not rows:
        return 0
    if await linker.heads.seen() is not None:
        linker.ledger.refuse("it has no head, and the witness has seen one")
    found = await linker.link_first()
    return None if found is None else found.head.count
