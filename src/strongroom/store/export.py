"""Exports the items of a store as lines of JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeAlias

from strongroom.codec.guards import Outcome
from strongroom.core.core import Core
from strongroom.errors import DecodeError, EncodeError, StrongroomError
from strongroom.history.verified import VerifiedRows
from strongroom.ledger.ledger import Ledger
from strongroom.sql import raw_ids
from strongroom.sql.rows import FIRST_ID, StoredRow
from strongroom.sql.times import micros_to_utc
from strongroom.store.jsonlines import dump_line
from strongroom.store.row_decoder import RowDecoder
from strongroom.store.walk import BATCH_ROWS, walk, walk_ids

_Batch: TypeAlias = tuple[list[StoredRow], list[Outcome]]


async def export_items(
    core: Core, session_id: str | None, prefix: str | None
) -> AsyncIterator[str]:
    """Yield a line for each item; rows that cannot be read raise, or are left out."""
    if session_id is not None:
        core.check_session_id(session_id)
        if prefix is not None:
            raise ValueError("Pass session_id or prefix, not both.")
    if core.ledger is None:
        batches = _plain_batches(core, session_id, prefix)
    else:
        batches = _verified_batches(core, core.ledger, session_id, prefix)
    async for rows, outcomes in batches:
        lines, refused = _lines(core, rows, outcomes)
        del outcomes
        lines.reverse()
        # An error keeps this frame: it holds no line that was yielded.
        while lines:
            yield lines.pop()
        if refused is not None:
            raise refused


def _lines(
    core: Core, rows: list[StoredRow], outcomes: list[Outcome]
) -> tuple[list[str], StrongroomError | None]:
    """Return the lines up to the first row that is refused, and its error."""
    lines: list[str] = []
    for row, outcome in zip(rows, outcomes, strict=True):
        if not isinstance(outcome, StrongroomError):
            try:
                lines.append(dump_line(row.session_id, row.created_at, outcome))
            except EncodeError as error:
                return lines, error.at(row.session_id, row.row_id).with_traceback(None)
        elif not (isinstance(outcome, DecodeError) and core.unreadable.leaves_out(outcome)):
            return lines, outcome
    return lines, None


async def _plain_batches(
    core: Core, session_id: str | None, prefix: str | None
) -> AsyncIterator[_Batch]:
    decoder = RowDecoder(core)
    async for batch in walk(core, prefix=prefix, session_id=session_id):
        yield batch.rows, await decoder.decode(batch.rows)


async def _verified_batches(
    core: Core, ledger: Ledger, session_id: str | None, prefix: str | None
) -> AsyncIterator[_Batch]:
    """Yield the rows of histories that are verified as they are read, times included."""
    async for name in _session_ids(core, session_id, prefix):
        if not raw_ids.is_text(name):
            yield [StoredRow(name, FIRST_ID, b"", None)], [raw_ids.refusal(name)]
            continue
        async for verified in core.ledgered_history(name, ledger).verified_batches(BATCH_ROWS):
            yield await _decoded(core, name, verified)


async def _session_ids(
    core: Core, session_id: str | None, prefix: str | None
) -> AsyncIterator[str]:
    if session_id is not None:
        yield session_id
        return
    async for names in walk_ids(core, prefix=prefix):
        for name in names:
            yield name


async def _decoded(core: Core, session_id: str, verified: VerifiedRows) -> _Batch:
    outcomes = await core.decode(core.row_codec(session_id), verified.values)
    rows = [
        StoredRow(session_id, row[0], value, micros_to_utc(row[2]))
        for row, value in zip(verified.rows, verified.values, strict=True)
    ]
    for row, outcome in zip(rows, outcomes, strict=True):
        if isinstance(outcome, DecodeError):
            outcome.at(session_id, row.row_id)
    return rows, outcomes
