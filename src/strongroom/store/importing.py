"""Imports the lines of an export."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable

from strongroom.core.core import Core
from strongroom.errors import EncodeError, PayloadError
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
        number += 1
        if not line.strip():
            continue
        record = load_line(line)
        if isinstance(record, str):
            del line
            raise LineError(number, record)
        session_id, created_at, item = record
        try:
            core.check_session_id(session_id)
            await sink.add(session_id, item, created_at)
        except EncodeError as error:
            raise EncodeError(f"Line {number}: {error.message}", path=error.path).at(
                session_id
            ) from error
        except ValueError as error:
            raise LineError(number, str(error).rstrip(".")) from error
        if sink.is_full:
            await sink.flush()
    await sink.flush()
    return sink.written


async def _each(lines: AsyncIterable[str] | Iterable[str]) -> AsyncIterator[str]:
    if isinstance(lines, AsyncIterable):
        async for line in lines:
            yield line
    else:
        for line in lines:
            yield line
