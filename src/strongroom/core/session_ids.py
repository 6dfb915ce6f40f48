"""Session ids: which ones every database can tell apart."""

from __future__ import annotations


def check_session_id(session_id: object, longest: int | None) -> None:
    """Raise ValueError for an id that is no non-empty text without NUL.

    ``longest`` is how many bytes of UTF-8 the database holds, None for any number.
    """
    if not isinstance(session_id, str) or not session_id or "\0" in session_id:
        raise ValueError(
            "A session id is a str of at least one character, and none of them is NUL."
        )
    try:
        size = len(session_id.encode())
    except UnicodeEncodeError:
        size = -1
    if size < 0:
        raise ValueError("A session id is text that UTF-8 can hold: it has a lone surrogate.")
    if longest is not None and size > longest:
        raise ValueError(
            f"The session id has {size} bytes of UTF-8, and this database holds {longest}."
        )
