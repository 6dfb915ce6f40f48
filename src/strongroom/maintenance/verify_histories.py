"""Verifying the histories of a store that has a ledger, and what its witness knows of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from strongroom.core.core import Core
from strongroom.errors import (
    ConflictError,
    DecodeError,
    HistoryTamperedError,
    StrongroomError,
    WitnessError,
)
from strongroom.history.protocol import History
from strongroom.ledger.ledger import Ledger
from strongroom.maintenance.progress import Meter
from strongroom.maintenance.report import Failures
from strongroom.protocols import ListingWitness
from strongroom.sql import raw_ids
from strongroom.sql.rows import Row
from strongroom.store.walk import (
    BATCH_ROWS,
    walk_headed,
    walk_prefixes,
    walk_sessions,
    walk_unregistered,
)


class HistoriesCheck:
    """Verifies each history as its ledger has it, and notes what fails."""

    def __init__(self, core: Core, ledger: Ledger, failures: Failures, meter: Meter) -> None:
        self._core = core
        self._ledger = ledger
        self._failures = failures
        self._meter = meter
        self._witnessed: set[bytes] = set()

    async def run(self, prefix: str | None) -> int:
        """Verify the sessions whose ids begin with a prefix; returns how many rows were read."""
        if not prefix:
            # Before the walk: the head of each of these is in the database by now, and stays.
            await self._ask_witness()
        rows = 0
        async for page in walk_sessions(self._core, prefix=prefix):
            for session in page:
                rows += await self._verify(session.session_id)
        async for names in walk_unregistered(self._core, prefix=prefix):
            for name in names:
                if not raw_ids.is_text(name):
                    self._failures.add(name, None, raw_ids.refusal(name))
                rows += await self._verify(name)
        await self._compare_witness()
        return rows

    async def _refuse(self, session_id: str) -> int:
        """Note each row of an id that no session can have."""
        seen = 0
        async for page in walk_prefixes(self._core, session_id=session_id):
            for row in page:
                self._failures.add(session_id, row.row_id, raw_ids.refusal(session_id))
            seen += len(page)
        return seen

    async def _verify(self, session_id: str) -> int:
        if not raw_ids.is_text(session_id):
            return await self._refuse(session_id)
        seen = 0
        history = self._core.ledgered_history(session_id, self._ledger)
        self._forget(session_id)
        batches = history.batches(BATCH_ROWS)
        while True:
            try:
                async for rows in batches:
                    seen += await self._verify_batch(session_id, rows)
                    self._meter.add(len(rows))
            except ConflictError:
                # Others have changed what was read, so the session is read in one go instead.
                batches, seen = _at_once(history), 0
            except StrongroomError as error:
                self._failures.add(session_id, error.row_id, error)
                return seen
            else:
                return seen

    async def _verify_batch(self, session_id: str, rows: list[Row]) -> int:
        codec = self._core.row_codec(session_id)
        outcomes = await self._core.decode(codec, [value for _, value in rows])
        for (row_id, _), outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, DecodeError):
                self._failures.add(session_id, row_id, outcome)
        return len(rows)

    # The witness ----------------------------------------------------------------------------------

    async def _ask_witness(self) -> None:
        witness = self._ledger.witness
        if not isinstance(witness, ListingWitness):
            return
        try:
            self._witnessed = await _keys_of(witness)
        except WitnessError as error:
            self._failures.add("", None, error)

    async def _compare_witness(self) -> None:
        """Report the histories that the witness has seen and the database has nothing of."""
        if not self._witnessed:
            return
        # A session may have been cleared and begun again while the walk passed it by.
        async for names in walk_headed(self._core):
            for name in filter(raw_ids.is_text, names):
                self._forget(name)
        for key in sorted(self._witnessed):
            error = HistoryTamperedError(
                "The witness has seen a session whose key this is, and the database has no head of "
                "it: somebody deleted it together with its head, or the witness serves another "
                "store as well."
            )
            self._failures.add(key.hex(), None, error)

    def _forget(self, session_id: str) -> None:
        if self._witnessed:
            bound = self._ledger.bind(session_id, self._core.namespace)
            self._witnessed.discard(bound.witness_key)


async def _keys_of(witness: ListingWitness) -> set[bytes]:
    try:
        return set(await witness.keys())
    except Exception as error:
        kind = type(error).__name__
        raise WitnessError(f"The witness could not be asked for its keys: {kind}.") from error


async def _at_once(history: History) -> AsyncIterator[list[Row]]:
    yield await history.rows()
