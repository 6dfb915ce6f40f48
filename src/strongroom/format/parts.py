"""Dividing many values into parts of a bounded size."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from strongroom.protocols import Stored


def parts(stored: Sequence[Stored], most: int) -> Iterator[Sequence[Stored]]:
    """Divide values into parts of at most so many bytes; a larger value is a part of its own."""
    ends = list(accumulate(map(len, stored)))
    start = size = 0
    while start < len(ends):
        end = max(start + 1, bisect_right(ends, size + most))
        yield stored[start:end]
        start, size = end, ends[end - 1]
