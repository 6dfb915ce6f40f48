"""Prefixes of session ids, as ranges: LIKE has wildcards, and on some databases ignores case."""

from __future__ import annotations


def prefix_end(prefix: str) -> str | None:
    """Return the least text above all that begin with a prefix; None if there is none above."""
    while prefix:
        point = ord(prefix[-1]) + 1
        if point == 0xD800:
            point = 0xE000  # between them are surrogates, which are no characters
        if point <= 0x10FFFF:
            return prefix[:-1] + chr(point)
        prefix = prefix[:-1]
    return None


def check_prefix(prefix: str | None) -> None:
    """Raise ValueError for a prefix that no session id can have."""
    if prefix is None:
        return
    if "\0" in prefix or any("\ud800" <= character <= "\udfff" for character in prefix):
        raise ValueError("No session id has this prefix: it holds NUL or a lone surrogate.")
