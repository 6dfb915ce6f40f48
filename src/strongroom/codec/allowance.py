"""How much one call may still decode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from strongroom.codec.bounds import VALUE_BYTES
from strongroom.errors import PayloadError
from strongroom.protocols import Stored

_FREE_GROWTH = 8
_FREE_SIZE = 1024 * 1024
"""The values of a payload are counted if it is larger, or larger than its row by the factor above.

A payload that is neither costs whoever wrote it about as much room as it may take in memory.
"""

CountValues: TypeAlias = Callable[[Any, int], int]
"""Counts the values of a payload without parsing it, and may stop above a number."""


class TotalSizeError(PayloadError):
    """One call would decode more than it may; it is raised, and is no row's outcome."""


class Allowance:
    """How much one call may still decode, in bytes; ``left`` is below zero once it was too much.

    ``row`` bounds what one row may decompress to, for a caller that cannot wait for a large one.
    """

    __slots__ = ("left", "row", "total")

    def __init__(self, total: int, row: int | None = None) -> None:
        self.total = total
        self.left = total
        self.row = row

    def most(self, max_size: int) -> int:
        """Return how many bytes a row may decompress to, of the ``max_size`` of its codec."""
        return max_size if self.row is None else min(max_size, self.row)

    def row_failed(self, max_size: int) -> None:
        """Note that a row did not decompress: under a smaller bound it may have been too large."""
        if self.most(max_size) < max_size:
            self.left = -1

    def take(self, data: Stored, stored: int, count: CountValues | None) -> bool:
        """Take the payload of a row of so many bytes; False if that is too much."""
        size = len(data)
        if count is not None and (size > _FREE_SIZE or size > _FREE_GROWTH * stored):
            size = max(size, VALUE_BYTES * count(data, self.left // VALUE_BYTES))
        self.left -= size
        return self.left >= 0

    def take_alike(self, payloads: Sequence[Stored]) -> bool:
        """Take payloads that are as long as their rows; False if they need a look at each."""
        sizes = list(map(len, payloads))
        size = sum(sizes)
        if size > self.left or max(sizes) > _FREE_SIZE:
            return False
        self.left -= size
        return True

    def error(self) -> TotalSizeError:
        """Return the error for a call that decodes too much."""
        return TotalSizeError(
            f"The rows of this call decode to more than the {self.total} bytes of max_total (a "
            f"value counts as {VALUE_BYTES} bytes at least): pass a limit, read them in batches "
            f"with iter_items, or raise max_total."
        )
