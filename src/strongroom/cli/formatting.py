"""Text that is safe to print, and figures that people can read."""

from __future__ import annotations

import datetime as dt
import json
import unicodedata
from typing import Any

_JOINERS = {"\u200c", "\u200d"}  # scripts and emoji need them
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def printable(text: str, *, lines: bool = False) -> str:
    """Return a text without anything that a terminal obeys or does not show.

    Control characters, those that turn the direction of writing, invisible ones and lone
    surrogates become escapes; with ``lines`` line breaks and tabs stay.
    """
    if text.isascii() and text.isprintable():
        return text
    if lines:
        text = text.replace("\r\n", "\n").expandtabs(4)
    return "".join(
        character
        if (lines and character == "\n")
        or character in _JOINERS
        or unicodedata.category(character) not in _HIDDEN
        else _escape(character)
        for character in text
    )


def _escape(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def to_json(value: Any) -> str:
    """Return JSON in which every control character is an escape."""
    text = json.dumps(value, indent=2, default=_encodable)
    return text.replace("\x7f", "\\u007f")


def _encodable(value: object) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def format_size(count: int | None) -> str:
    """Return a number of bytes, as in ``12.3 KB``."""
    if count is None:
        return ""
    if count < 1000:
        return f"{count} bytes" if count != 1 else "1 byte"
    value = float(count)
    for unit in ("KB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def format_time(time: dt.datetime | None) -> str:
    """Return a time in UTC, to the second."""
    return "" if time is None else time.strftime("%Y-%m-%d %H:%M:%S")


def format_count(count: int, noun: str = "") -> str:
    """Return a count with its noun, as in ``1,234 rows``."""
    text = f"{count:,}"
    if not noun:
        return text
    return f"{text} {noun}" if count != 1 else f"{text} {noun.removesuffix('s')}"
