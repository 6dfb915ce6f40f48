"""The failures that a report lists and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.codec.guards import Outcome
from strongroom.errors import StrongroomError
from strongroom.sql.rows import StoredRow

MOST_FAILURES = 1000
"""How many failures a report lists; all are counted."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A row that was left as it is, and why: the class and the message of its error.

    ``row_id`` is None where it is a session that a ledger does not vouch for.
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
                    session_id=session_id,
                    row_id=row_id,
                    error=type(error).__name__,
                    message=error.message,
                )
            )

    def add_refused(self, rows: Sequence[StoredRow], outcomes: Sequence[Outcome]) -> None:
        """Note those of the rows whose outcome is an error."""
        for row, outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, StrongroomError):
                self.add(row.session_id, row.row_id, outcome)

    @property
    def listed(self) -> tuple[Failure, ...]:
        """The first of them."""
        return tuple(self._listed)
