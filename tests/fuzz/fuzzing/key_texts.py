"""Lines of key files, rightly and wrongly written, and a second reader of them."""

from __future__ import annotations

import base64
import re
from random import Random

from fuzzing import mutation
from fuzzing.sealing import KEYS

_SPACES = (" ", "\t", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\ufeff", "\0", "\u3000", "")
_OTHERS = (
    "",
    "# a comment",
    "#",
    "keys:",
    "A" * 43,
    "=",
    "-----BEGIN PRIVATE KEY-----",
    "é",
    "A" * 4_000,
)


def line(rng: Random) -> str:
    """Return a line that is a key, or nearly, or something else."""
    choice = rng.randrange(6)
    if choice == 0:
        return rng.choice(_OTHERS)
    text = spelled(rng, rng.choice(KEYS))
    if choice == 1:
        return mutation.of_text(rng, text.rstrip("=")) + rng.choice(("", "="))
    if choice == 2:
        return rng.choice(_SPACES) + text + rng.choice(_SPACES)
    if choice == 3:
        return text + rng.choice((" # mine", ",", ", ", ";", "==", text))
    return text


def spelled(rng: Random, key: bytes) -> str:
    """Return a key in one of its spellings."""
    text = rng.choice((base64.b64encode, base64.urlsafe_b64encode))(key).decode()
    return text.rstrip("=") if rng.random() < 0.3 else text


def second_reader(texts: list[str], *, comments: bool) -> list[bytes] | None:
    """Return the keys of lines, or of the elements of a variable; None if one is none."""
    keys: list[bytes] = []
    for text in map(str.strip, texts):
        if comments and (not text or text[0] == "#"):
            continue
        if not re.fullmatch(r"([A-Za-z0-9+/]{43}|[A-Za-z0-9_-]{43})=?", text, re.ASCII):
            return None
        plain = text.rstrip("=").replace("-", "+").replace("_", "/")
        key = base64.b64decode(plain + "=")
        if base64.b64encode(key).decode().rstrip("=") != plain:
            return None
        keys.append(key)
    return keys if keys and len(set(keys)) == len(keys) else None


def lines_of(data: bytes) -> list[str]:
    """Return the lines of a file, as Python reads text."""
    return data.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n").split("\n")
