"""Imports the lines of an export."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable

from strongroom.core.core import Core
from strongroom.errors import EncodeError, PayloadError, StrongroomError
from strongroom.store.jsonlines import load_line
from strongroom.store.sink import Sink


class LineError(PayloadError):
    """A line that cannot be imported; ``line`` is its number, from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"Line {line} is no line of an export: {problem}.")
        self.line = line


async def import_items(
    core: Core,
    lines: AsyncIterable[str] | Iterable[str],
    *,
    append: bool,
    batch_rows: int,
) -> int:
    """Write the items of an export; returns how many were written."""
    if batch_rows < 1:
        raise ValueError(f"batch_rows is 1 or more, not {batch_rows}.")
    sink = Sink(core, append=append, batch_rows=batch_rows)
    number = 0
    async for line in _each(lines):
        lines, number = (), number + 1
        try:
            refused = await _take(core, sink, number, line)
        finally:
            del line  # an error keeps this frame
        if refused is not None:
            raise refused
        if sink.is_full:
            await sink.flush()
    await sink.flush()
    return sink.written


async def _take(core: Core, sink: Sink, number: int, line: str) -> StrongroomError | None:
    """Hand a line to the sink; returns the error if it cannot be imported."""
    record = load_line(line) if line.strip() else None
    del line  # an error keeps this frame
    if record is None:
        return None
    if isinstance(record, str):
        return LineError(number, record)
    session_id, created_at, item = record
    del record
    try:
        core.check_session_id(session_id)
        await sink.add(session_id, item, created_at)
    except EncodeError as error:
        return EncodeError(f"Line {number}: {error.message}", path=error.path).at(session_id)
    except ValueError as error:
        return LineError(number, str(error).rstrip("."))
    finally:
        del item
    return None


async def _each(lines: AsyncIterable[str] | Iterable[str]) -> AsyncIterator[str]:
    if isinstance(lines, AsyncIterable):
        async for line in lines:
            yield line
            del line  # an error keeps this frame
    else:
        for line in lines:
            yield line
            del line
