"""The failures that a report lists and counts."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.errors import StrongroomError
from strongroom.sql import raw_ids

MOST_FAILURES = 1000
"""How many failures a report lists; all are counted."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    r"""A row that was left as it is, and why: the class and the message of its error.

    ``row_id`` is None where it is a session: one that a ledger does not vouch for, or whose id or
    times cannot be read. An id that is not text is shown with its bytes escaped, ``user-\xff``, or
    as SQL writes a blob, ``x'00ff'``.
    """

    session_id: str
    row_id: int | None
    error: str
    message: str


class Failures:
    """Lists failures, and counts those that are too many to list."""

    def __init__(self) -> None:
        self.total = 0
        self._listed: list[Failure] = []

    def add(self, session_id: str, row_id: int | None, error: StrongroomError) -> None:
        """Note a row."""
        self.total += 1
        if len(self._listed) < MOST_FAILURES:
            self._listed.append(
                Failure(
                    session_id=raw_ids.shown(session_id),
                    row_id=row_id,
                    error=type(error).__name__,
                    message=error.message,
                )
            )

    @property
    def listed(self) -> tuple[Failure, ...]:
        """The first of them."""
        return tuple(self._listed)
