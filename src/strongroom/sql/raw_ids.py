"""Session ids that are not text: columns of SQLite and MySQL take them, and no session has one.

Inside strongroom they are str: a byte that is not UTF-8 becomes a lone surrogate, as Python does
it for the names of files (PEP 383), and a blob of SQLite begins with a surrogate of its own. So
each goes back to the bytes that the column holds, and none equals the id of another session.
"""

from __future__ import annotations

import re

from strongroom.errors import DecodeError

_BLOB = "\ud800"
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


def of_text(data: bytes) -> str:
    """Return the id that a column holds as text, or as bytes where all its ids are bytes."""
    return data.decode("utf-8", "surrogateescape")


def of_blob(data: bytes) -> str:
    """Return the id that a column of text holds as a blob."""
    return _BLOB + of_text(data)


def is_blob(session_id: str) -> bool:
    """Tell the id of a blob."""
    return session_id.startswith(_BLOB)


def to_bytes(session_id: str) -> bytes:
    """Return the bytes that the column holds."""
    return session_id.removeprefix(_BLOB).encode("utf-8", "surrogateescape")


def order(session_id: str) -> tuple[bool, bytes]:
    """Return the place of an id in the order of bytes, where blobs come last."""
    return is_blob(session_id), to_bytes(session_id)


def is_text(session_id: str) -> bool:
    """Tell whether a session can have this id: it holds UTF-8, and no NUL."""
    return _NOT_TEXT.search(session_id) is None


def shown(session_id: str) -> str:
    r"""Return an id as reports show it: ``user-\xff`` for a byte, ``x'00ff'`` for a blob."""
    if is_blob(session_id):
        return f"x'{to_bytes(session_id).hex()}'"
    if is_text(session_id):
        return session_id
    return to_bytes(session_id).decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def refusal(session_id: str, row_id: int | None = None) -> DecodeError:
    """Return the error for rows of an id that no session can have."""
    return DecodeError(
        "The session id in the database is not text: it is a blob, or holds NUL or bytes that are "
        "not UTF-8. No session can be opened by it. Rename or delete the session by SQL."
    ).at(shown(session_id), row_id)
