"""The rows that statements take and return; times are aware, in UTC."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple, TypeAlias

from strongroom.protocols import Stored

Row: TypeAlias = tuple[int, Stored]
"""A row of one session: its id and its value."""

FIRST_ID = -(2**63)
"""Before every row id."""
LAST_ID = 2**63 - 1
"""Behind every row id."""

PREFIX_SIZE = 384
"""As many characters as the text forms of a ledger's link and of the longest header have."""


class RowPrefix(NamedTuple):
    """A row without its value: where it is, its size in bytes, and how its value begins."""

    session_id: str
    row_id: int
    size: int
    prefix: Stored


class StoredRow(NamedTuple):
    """A row as it lies in the table."""

    session_id: str
    row_id: int
    value: Stored
    created_at: dt.datetime | None


class SessionRow(NamedTuple):
    """A session and how many rows it has."""

    session_id: str
    created_at: dt.datetime | None
    updated_at: dt.datetime | None
    items: int


class Change(NamedTuple):
    """A row's value, and the value that takes its place."""

    session_id: str
    row_id: int
    old: Stored
    new: Stored


class NewRow(NamedTuple):
    """A row to be added; without a time it is created now."""

    session_id: str
    value: Stored
    created_at: dt.datetime | None


SessionTimes: TypeAlias = tuple[str, dt.datetime | None, dt.datetime | None]
"""A session id, and when the session was created and updated; None is now."""


class SessionsMovedError(Exception):
    """The newest rows of these sessions are not the ones that the writer had seen."""

    def __init__(self, session_ids: set[str]) -> None:
        super().__init__()
        self.session_ids = session_ids
