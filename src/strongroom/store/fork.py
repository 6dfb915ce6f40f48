"""Copies the beginning of a session into a new one."""

from __future__ import annotations

from collections.abc import Sequence

from strongroom.core.core import Core
from strongroom.errors import DecodeError
from strongroom.protocols import Stored


async def fork(core: Core, source: str, target: str, upto: int | None) -> int:
    """Copy the beginning of a session into a new one; returns the number of items."""
    core.check_session_id(source)
    core.check_session_id(target)
    if upto is not None and upto < 0:
        raise ValueError(f"upto is 0 or more, or None for all items; not {upto}.")
    values = await _encoded_again(core, source, target, upto) if upto != 0 else []
    if not await core.history(target).append_to_empty(values):
        raise ValueError("The session to fork into has items already: choose a new id.")
    return len(values)


async def _encoded_again(
    core: Core, source: str, target: str, upto: int | None
) -> Sequence[Stored]:
    """Read the first rows of a session and encode their items for another one."""
    history = core.history(source)
    rows = await (history.rows() if upto is None else history.first(upto))
    items = await core.decode(core.row_codec(source), [value for _, value in rows])
    errors = [
        item.at(source, row_id)
        for (row_id, _), item in zip(rows, items, strict=True)
        if isinstance(item, DecodeError)
    ]
    try:
        if errors:
            raise errors[0]
        return await core.encode(core.row_codec(target), items)
    finally:
        del items  # an error keeps this frame
