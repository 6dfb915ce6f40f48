"""Encoding and decoding of batches that may take long, while the event loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter

from strongroom.codec.allowance import Allowance, TotalSizeError
from strongroom.codec.guards import Outcome
from strongroom.codec.row_codec import RowCodec
from strongroom.format.parts import parts
from strongroom.protocols import Item, Stored

_INLINE_SECONDS = 0.01
"""How long the event loop waits for a batch before the rest of it goes to a thread."""

_INLINE_BYTES = 16 * 1024
"""How many stored bytes are decoded between two looks at the clock."""

_INLINE_PAYLOAD = 256 * 1024
"""How many bytes these may decode to; rows that decode to more go to a thread."""

_INLINE_ROW = 128 * 1024
"""How many bytes one of them may decompress to."""

_LARGE_BYTES = 256 * 1024
"""How large a value is that goes to a thread at once."""

_THREAD_BYTES = 1024 * 1024
"""How much a thread decodes in one call, which may hold the interpreter's lock."""


async def encode(encode_one: Callable[[Item], Stored], items: Iterable[Item]) -> list[Stored]:
    """Return the values of a batch; raises EncodeError."""
    values: list[Stored] = []
    until = perf_counter() + _INLINE_SECONDS
    pending, item, rest = iter(items), None, None
    try:
        for item in pending:
            if perf_counter() > until or _is_large(item):
                rest = [item, *pending]
                break
            values.append(encode_one(item))
        return values + await asyncio.to_thread(_encode_all, encode_one, rest) if rest else values
    finally:
        del items, pending, item, rest  # an error keeps this frame


def _encode_all(encode_one: Callable[[Item], Stored], items: Sequence[Item]) -> list[Stored]:
    return [encode_one(item) for item in items]


async def decode(codec: RowCodec, stored: Sequence[Stored]) -> list[Outcome]:
    """Return the outcomes of the rows of one session; raises TotalSizeError.

    Rows that may take long to decode go to a thread, whatever codec the session writes with: a
    small row may decompress to a large item.
    """
    allowance = codec.allowance()
    outcomes: list[Outcome] = []
    until = perf_counter() + _INLINE_SECONDS
    for part in parts(stored, _INLINE_BYTES):
        if perf_counter() > until or len(part[0]) > _LARGE_BYTES:
            break
        inline = Allowance(min(_INLINE_PAYLOAD, allowance.left), _INLINE_ROW)
        try:
            outcomes += codec.decode_many(part, inline)
        except TotalSizeError:
            break
        allowance.left -= inline.total - inline.left
    rest = stored[len(outcomes) :]
    if not rest:
        return outcomes
    try:
        return outcomes + await asyncio.to_thread(_decode_all, codec, rest, allowance)
    except TotalSizeError:
        outcomes.clear()  # A traceback that shows locals has no item to show.
        raise


def _decode_all(codec: RowCodec, stored: Sequence[Stored], allowance: Allowance) -> list[Outcome]:
    outcomes: list[Outcome] = []
    try:
        for part in parts(stored, _THREAD_BYTES):
            outcomes += codec.decode_many(part, allowance)
    except TotalSizeError:
        outcomes.clear()
        raise
    return outcomes


def _is_large(item: Item, depth: int = 3) -> bool:
    """Tell an item with a long text, as far as can be told in a microsecond."""
    kind = type(item)
    if kind is str or kind is bytes:
        return len(item) > _LARGE_BYTES
    if not depth or (kind is not dict and kind is not list):
        return False
    for part in item.values() if kind is dict else item:
        if type(part) is str:
            if len(part) > _LARGE_BYTES:
                return True
        elif _is_large(part, depth - 1):
            return True
    return False
