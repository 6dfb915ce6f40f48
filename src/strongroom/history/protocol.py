"""The protocol of a session's rows, with a ledger or without one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple, Protocol

from strongroom.errors import DecodeError
from strongroom.protocols import Item, Stored
from strongroom.sql.rows import Row

OPTIMISTIC_TRIES = 3
"""How often a change that fails if others come between is tried before it locks them out."""


class Popped(NamedTuple):
    """The item of a row that was deleted."""

    item: Item


class Picker(Protocol):
    """Decides which of a session's latest rows a pop takes."""

    @property
    def decode_one(self) -> Callable[[Row], Item] | None:
        """Decodes one row, or raises DecodeError; None if decoding has to be awaited."""
        ...

    def leaves_out(self, error: DecodeError) -> bool:
        """Tell whether a row that cannot be read is passed over."""
        ...

    async def pick(self, rows: Sequence[Row]) -> tuple[Row, Item] | None:
        """Return the newest row that can be read, and its item; None if all are passed over."""
        ...


class History(Protocol):
    """The rows of one session; values are as the codec or the hooks made them."""

    async def rows(self) -> list[Row]:
        """Return all rows, oldest first."""
        ...

    async def first(self, count: int) -> list[Row]:
        """Return the first rows, oldest first."""
        ...

    async def last(self, count: int) -> list[Row]:
        """Return the latest rows, oldest first."""
        ...

    def batches(self, size: int) -> AsyncIterator[list[Row]]:
        """Yield all rows in batches, oldest first."""
        ...

    async def append(self, values: Sequence[Stored]) -> None:
        """Add a batch at the end, all or nothing."""
        ...

    async def append_to_empty(self, values: Sequence[Stored]) -> bool:
        """Add a batch to a session that has no rows; False, and nothing is added, if it has."""
        ...

    async def replace(self, values: Sequence[Stored]) -> None:
        """Put a batch in the place of all rows."""
        ...

    async def clear(self) -> None:
        """Remove all rows and the session."""
        ...

    async def delete(self) -> bool:
        """Remove all rows and the session; False if there was nothing to remove."""
        ...

    async def pop(self, picker: Picker) -> Popped | None:
        """Delete the row that the picker takes; None if it takes none."""
        ...

    async def splice(
        self, expected: Sequence[Row], doomed: set[int], values: Sequence[Stored]
    ) -> bool:
        """Remove rows and add a batch at the end; False if the latest are not the expected."""
        ...
