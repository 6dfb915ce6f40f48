"""Replacing the end of a history by a summary of it, as openai-agents' compaction asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from strongroom.codec.guards import Outcome
from strongroom.core.unreadable import has_errors
from strongroom.errors import DecodeError
from strongroom.history.protocol import History
from strongroom.protocols import Item
from strongroom.session.items import Hook, SessionItems


@dataclass(frozen=True)
class Snapshot:
    """The latest items of a session, and a way to replace them while they are the latest.

    ``complete`` says that there are no earlier ones. ``replace_suffix(start, output)`` puts
    ``output`` in the place of ``items[start:]``, all or nothing, and returns False if the end of
    the history is no longer what the snapshot holds.
    """

    items: list[Item]
    complete: bool
    replace_suffix: Callable[[int, list[Item]], Awaitable[bool]]


@dataclass(frozen=True)
class Compaction:
    """One session's history and items, and the hooks that encode and decode these."""

    history: History
    items: SessionItems
    serialize: Hook | None
    deserialize: Hook | None

    async def snapshot(
        self, limit: int, prune_prefix: Callable[[Item], bool] | None
    ) -> Snapshot | None:
        """Read the latest ``limit`` items; None if one of them cannot be read."""
        fetched = await self.history.last(limit + 1)
        rows = fetched[-limit:] if limit else []
        items = await self.items.outcomes(rows, self.deserialize)
        if has_errors(items):
            return None

        async def replace_suffix(start: int, output: list[Item]) -> bool:
            expected = rows[start:]
            if not expected:
                return False
            try:
                values = await self.items.encode(output, self.serialize)
            finally:
                del output  # an error keeps this frame
            doomed = {row_id for row_id, _ in expected}
            if prune_prefix is not None:
                doomed |= await self._prunable(expected[0][0], max(limit, 1), prune_prefix)
            return await self.history.splice(expected, doomed, values)

        return Snapshot(items, len(fetched) <= limit, replace_suffix)

    async def check_readable(self) -> None:
        """Raise DecodeError for a row that cannot be read: a compaction has not seen it."""
        outcomes = await self.items.outcomes(await self.history.rows(), self.deserialize)
        errors = [outcome for outcome in outcomes if isinstance(outcome, DecodeError)]
        del outcomes  # an error keeps this frame
        if errors:
            raise errors[0]

    async def _prunable(self, end: int, batch: int, prune: Callable[[Item], bool]) -> set[int]:
        """Return the ids of the readable items at the very beginning that may be dropped."""
        doomed: set[int] = set()
        async for rows in self.history.batches(batch):
            earlier = [row for row in rows if row[0] < end]
            outcomes = await self.items.outcomes(earlier, self.deserialize)
            try:
                dropped = _prunable_first(outcomes, prune)
            finally:
                del outcomes  # an error keeps this frame
            doomed |= {row_id for row_id, _ in earlier[:dropped]}
            if dropped < len(rows):
                break
        return doomed


def _prunable_first(outcomes: list[Outcome], prune: Callable[[Item], bool]) -> int:
    """Count the readable items at the beginning that may be dropped."""
    count, item = 0, None
    try:
        for item in outcomes:
            if isinstance(item, DecodeError) or not prune(item):
                break
            count += 1
    finally:
        del outcomes, item  # an error keeps this frame
    return count
