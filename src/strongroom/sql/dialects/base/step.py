"""The steps of a ledger from one head of a session to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from strongroom.format.ledger import LinkedRow
from strongroom.protocols import Stored

HeadAndRows: TypeAlias = tuple[bytes | None, list[LinkedRow]]
"""The stored head of a session and some of its rows, oldest first."""


class Step(NamedTuple):
    """A session's step from one stored head to the next, and the linked rows that it brings.

    ``old`` is None for a session that has no head.
    """

    session_id: str
    old: bytes | None
    new: bytes
    values: Sequence[Stored] = ()
    times: Sequence[int] = ()


class RowsChangedError(Exception):
    """A row is not as it was when it was read; the caller rolls back."""


class RowVanishedError(Exception):
    """Somebody who knows no heads removed a row while it was being popped; that is committed."""
