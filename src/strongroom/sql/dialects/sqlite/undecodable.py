"""Text that is no UTF-8: SQLite stores it, and Python's driver fails on it."""

from __future__ import annotations

from traceback import clear_frames

from sqlalchemy.exc import OperationalError

from strongroom.protocols import Stored


def is_undecodable(error: OperationalError) -> bool:
    """Tell the driver's failure to decode a text."""
    return "Could not decode to UTF-8" in str(error.orig)


def release_cursor(error: BaseException | None) -> None:
    """Drop the cursor that the frames of a failed statement hold.

    SQLAlchemy 2.0 leaves it open there, and the statement would keep its locks.
    """
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__


def text_or_bytes(value: bytes) -> Stored:
    """Decode a text where it can be decoded: a ``text_factory`` of the driver."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
