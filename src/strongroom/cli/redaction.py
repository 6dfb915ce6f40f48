"""Keeping passwords and keys out of what is printed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

_SECRET_VARIABLES = (
    "STRONGROOM_KEYS",
    "STRONGROOM_LEDGER_KEYS",
    "STRONGROOM_FERNET_KEYS",
    "STRONGROOM_MASTER_KEY",
)
_SHORTEST = 3
_IN_URL = re.compile(r"(://[^\s/@:]*:)[^\s@]+(?=@)")


@dataclass
class _Secrets:
    values: set[str]


_secrets = _Secrets(set())


def keep_secret(text: str | None) -> None:
    """Never print this text, as it is or as a URL spells it."""
    if text and len(text) >= _SHORTEST:
        _secrets.values |= {text, quote(text), quote(text, safe=""), quote_plus(text)}


def redact(text: str) -> str:
    """Return a text without passwords and keys."""
    hidden = set(_secrets.values)
    for name in _SECRET_VARIABLES:
        hidden |= {part.strip() for part in os.environ.get(name, "").split(",")}
    for secret in sorted(filter(None, hidden), key=len, reverse=True):
        text = text.replace(secret, "***")
    return _IN_URL.sub(r"\1***", text)
