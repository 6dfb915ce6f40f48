"""Rows of openai-agents' EncryptedSession.

Such a row is the JSON ``{"__enc__": 1, "v": 1, "kid": "hkdf-v1", "payload": token}``. The token is
Fernet's and holds the item as JSON; its key is HKDF-SHA256(master key, salt = session id, info =
"agents.session-store.hkdf.v1", 32 bytes). Source: ``encrypt_session.py`` of openai-agents 0.24.
"""

from __future__ import annotations

import base64
import math
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom.codec.readers._forms import (
    is_canonical_token,
    is_encrypted_session,
    is_session_envelope,
    parse_content,
    parse_json,
)
from strongroom.errors import (
    AuthenticationError,
    ConfigurationError,
    DecodeError,
    EnvelopeError,
    RowLeftOutError,
)
from strongroom.keys.guarded import Guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom.protocols import Item, Stored

_KEY_SIZE = 32
_MAX_CLOCK_SKEW = 60
_CACHED_SESSIONS = 256
_NOT_OPENED = (
    "The row of EncryptedSession does not open: the master key is another one, the row was "
    "altered, or it was written for another session; which of these, its cipher cannot say."
)


@dataclass(frozen=True, init=False, eq=False)
class OpenAIEncryptedReader:
    """Rows that openai-agents' EncryptedSession wrote (version 1, ``hkdf-v1``).

    ``master_key`` is its ``encryption_key``, and is read as it reads it: as URL-safe base64 where
    that gives 32 bytes, else as text. ``ttl`` is in seconds, and leaves out, with RowLeftOutError,
    the rows that EncryptedSession would have left out for their age; None leaves out none.
    """

    ttl: float | None
    _keys: _SessionKeys = field(repr=False)

    name: ClassVar[str] = "encrypted-session"

    def __init__(self, master_key: str, *, ttl: float | None) -> None:
        problem = _master_key_problem(master_key) or _ttl_problem(ttl)
        if problem:
            del self, master_key  # A traceback that shows locals has nothing to show.
            raise ConfigurationError(problem)
        object.__setattr__(self, "ttl", ttl)
        object.__setattr__(self, "_keys", _SessionKeys(master_key))

    def matches(self, stored: Stored, /) -> bool:
        """Recognise EncryptedSession's rows as that class does."""
        return is_encrypted_session(stored)

    def decode(self, stored: Stored, /, *, context: str) -> Item:
        """Return the item; raises AuthenticationError, RowLeftOutError, or another DecodeError."""
        token = _session_token(parse_json(stored))
        if isinstance(token, DecodeError):
            del stored
            raise token
        try:
            fernet = self._keys.fernet(context)
            written = fernet.extract_timestamp(token)  # Raises unless the token is authentic.
            if self.ttl is not None:
                _check_age(written, self.ttl)
            outcome = parse_content(fernet.decrypt(token))
        except (InvalidToken, UnicodeEncodeError) as error:
            raise AuthenticationError(_NOT_OPENED) from error
        if isinstance(outcome, DecodeError):
            raise outcome
        return outcome


class _SessionKeys(Guarded):
    """EncryptedSession's master key, and the Fernet that it derives from it for each session."""

    __slots__ = ("_master", "fernet")

    _master: bytes
    fernet: Callable[[str], Fernet]

    def __init__(self, master_key: str) -> None:
        object.__setattr__(self, "_master", _master_bytes(master_key))
        object.__setattr__(self, "fernet", lru_cache(_CACHED_SESSIONS)(self._derive))

    def _derive(self, session_id: str) -> Fernet:
        hkdf = HKDF(
            algorithm=hashes.SHA256(),
            length=_KEY_SIZE,
            salt=session_id.encode("utf-8"),
            info=b"agents.session-store.hkdf.v1",
        )
        return Fernet(base64.urlsafe_b64encode(hkdf.derive(self._master)))


def _master_bytes(master_key: str) -> bytes:
    """Read a master key with EncryptedSession's laxness, which is that of Python's base64."""
    try:
        decoded = base64.urlsafe_b64decode(master_key)
    except ValueError:
        decoded = b""
    return decoded if len(decoded) == _KEY_SIZE else master_key.encode("utf-8")


def _master_key_problem(master_key: object) -> str | None:
    if not isinstance(master_key, str) or not master_key:
        return "The master key is EncryptedSession's encryption_key: a text that is not empty."
    if any("\ud800" <= character <= "\udfff" for character in master_key):
        return "EncryptedSession takes no master key with a lone surrogate."
    return None


def _ttl_problem(ttl: object) -> str | None:
    if ttl is None:
        return None
    if isinstance(ttl, int | float) and not isinstance(ttl, bool) and not math.isnan(ttl):
        return None
    return "ttl is a number of seconds, or None for all rows, whatever their age."


def _session_token(row: Item) -> str | DecodeError:
    """Return the Fernet token in a row of EncryptedSession, or why there is none."""
    if not is_session_envelope(row):
        return EnvelopeError("The row is none of EncryptedSession's.")
    if row["v"] != 1 or row["kid"] != "hkdf-v1":
        return EnvelopeError(
            "The row is of a version of EncryptedSession, or under a key derivation, that this "
            "reader does not know: it knows version 1 and hkdf-v1."
        )
    token = row["payload"]
    if not isinstance(token, str):
        return EnvelopeError("The row of EncryptedSession is malformed: its payload is no text.")
    return token if is_canonical_token(token) else AuthenticationError(_NOT_OPENED)


def _check_age(written: int, ttl: float) -> None:
    """Leave out what Fernet, with a ttl in seconds, would not have opened."""
    now = int(time.time())
    if written + ttl < now:
        raise RowLeftOutError("The row of EncryptedSession is older than the ttl of its reader.")
    if now + _MAX_CLOCK_SKEW < written:
        raise RowLeftOutError("The row of EncryptedSession is from the future: check the clocks.")
