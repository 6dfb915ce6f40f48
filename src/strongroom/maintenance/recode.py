"""Bringing every row of a store into the store's own codec and primary key, in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from strongroom.codec.readers import PlaintextReader
from strongroom.errors import EncodeError, EnvelopeError, StrongroomError
from strongroom.format import envelope
from strongroom.format.ledger import link_key_id
from strongroom.maintenance._report import Failure, Failures, Pace
from strongroom.maintenance.ledgers import renew_heads
from strongroom.maintenance.progress import Meter, Progress
from strongroom.protocols import Reader, Stored
from strongroom.sql.dialects.store_registry import Change, Head, StoredRow, many_of
from strongroom.store.store import SessionStore
from strongroom.store.walk import BATCH_BYTES, Opener, unlinked, walk

_BATCH_ROWS = 200


@dataclass(frozen=True, kw_only=True)
class RecodeReport:
    """What was rewritten, and what could not be.

    ``rows`` is how many rows the last pass saw, ``recoded`` how many were rewritten in all
    passes; in a dry run, how many would be. ``failures`` lists the first 1,000 of the ``failed``
    rows, which do not open, or hold what the store's codec cannot write; they are as they were.
    """

    rows: int
    recoded: int
    failed: int
    failures: tuple[Failure, ...]
    passes: int
    dry_run: bool

    @property
    def ok(self) -> bool:
        """Whether no row was left behind."""
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
    heads are in the end.

    ``prefix`` is of session ids. ``rows_per_second`` limits the rows that are rewritten. A batch
    has at most ``batch_rows`` rows and ``batch_bytes`` bytes of old values, or one row.
    """
    pace = Pace(rows_per_second)
    recoded = passes = 0
    while True:
        passes += 1
        run = _Pass(store, dry_run=dry_run)
        meter = await Meter.of_rows(progress, f"pass {passes}", store, prefix)
        async for batch in walk(
            store,
            prefix=prefix,
            wanted=run.target.may_differ,
            batch_rows=pace.batch(batch_rows),
            batch_bytes=batch_bytes,
        ):
            await run.rewrite(batch.rows)
            run.rows += batch.seen
            meter.add(batch.seen)
            if batch.rows:
                await pace.after(len(batch.rows))
        meter.finish()
        recoded += run.recoded
        if dry_run or not run.found:
            if store.ledger is not None and not dry_run:
                await renew_heads(store, prefix)
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

    def __init__(self, store: SessionStore, *, dry_run: bool) -> None:
        self.target = _Target(store)
        self.rows = self.found = self.recoded = 0
        self.failures = Failures()
        self._store = store
        self._dry_run = dry_run
        self._opener = Opener(store)

    async def rewrite(self, rows: list[StoredRow]) -> None:
        """Rewrite those of the rows that differ from what the codec would write."""
        changes = await self._changes([row for row in rows if self.target.differs(row.value)])
        self.found += len(changes)
        if self._dry_run:
            self.recoded += len(changes)
        elif changes:
            # A row that is not swapped has been changed or removed since, or is locked: the next
            # pass looks at it again.
            self.recoded += await self._store.backend.write(
                lambda db, conn: many_of(db).swap(conn, changes)
            )

    async def _changes(self, rows: list[StoredRow]) -> list[Change]:
        database = await self._store.backend.prepare()
        changes: list[Change] = []
        for row, outcome in zip(rows, await self._opener.open(rows), strict=True):
            if isinstance(outcome, StrongroomError):
                self.failures.add(row.session_id, row.row_id, outcome)
                continue
            try:
                new = self._opener.seal(row, outcome)
                database.check_values([new])
            except EncodeError as error:
                self.failures.add(row.session_id, row.row_id, error)
            else:
                changes.append(Change(row.session_id, row.row_id, row.value, new))
        return changes


class _Target:
    """The form that a codec writes, told by the header alone."""

    def __init__(self, store: SessionStore) -> None:
        codec = store.codec
        self._store = store
        self._header = codec.header
        # As many characters of the text form as show the header, and at least the magic.
        self._shown = (max(len(self._header), 3) + 2) // 3 * 4
        self._readers = [
            stage
            for stage in codec.accept
            if isinstance(stage, Reader) and not isinstance(stage, PlaintextReader)
        ]

    def may_differ(self, head: Head) -> bool:
        """Tell, without the rest of a row, whether it has to be looked at."""
        if self._is_linked_otherwise(head.head):
            return True
        row = self._envelope(unlinked(self._store, head.head))
        if self._header:
            return row is None or not row.startswith(self._header)
        # Bare JSON has no header, and a reader tells its rows by the whole of them.
        return row is not None or bool(self._readers)

    def differs(self, stored: Stored) -> bool:
        """Tell whether a row that had to be looked at is not in the codec's form."""
        if self._is_linked_otherwise(stored):
            return True
        stored = unlinked(self._store, stored)
        if self._header or self._envelope(stored) is not None:
            return True
        return any(reader.matches(stored) for reader in self._readers)

    def _is_linked_otherwise(self, stored: Stored) -> bool:
        """Tell a row whose link is under another key than the ledger's primary one."""
        ledger = self._store.ledger
        if ledger is None or not envelope.is_linked(stored):
            return False
        return link_key_id(stored) != ledger.keys.primary.id

    def _envelope(self, stored: Stored) -> bytes | None:
        """Return the beginning of an envelope, b"" of a damaged one; None for anything else."""
        if isinstance(stored, bytes):
            return stored if envelope.is_envelope(stored) else None
        try:
            return envelope.from_text(stored[: self._shown])
        except EnvelopeError:
            return b""
