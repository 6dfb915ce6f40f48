"""The forms by which foreign rows are recognised, and the parsing that the readers share."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from strongroom.codec.bounds import MAX_VALUES
from strongroom.codec.serializers.orjson import OrjsonSerializer
from strongroom.errors import NotJSONError, PayloadError

if TYPE_CHECKING:
    from strongroom.protocols import Item, Stored

_JSON = OrjsonSerializer()

# The key "__enc__" is spelled out, or at least one of its letters is an escape.
_MARK = r"__enc__|\\u00(?:5[fF]|6[35eE])"
_MARK_IN_TEXT = re.compile(_MARK)
_MARK_IN_BYTES = re.compile(_MARK.encode("ascii"))

# 80 | timestamp 8 | IV 16 | ciphertext, at least one AES block | HMAC 32
_TOKEN_VERSION = 0x80
_TOKEN_OVERHEAD = 1 + 8 + 16 + 32
_TOKEN_BLOCK = 16


def is_encrypted_session(stored: Stored) -> bool:
    """Tell a row of openai-agents' EncryptedSession by its form, as that class itself does."""
    if isinstance(stored, str):
        marked = _MARK_IN_TEXT.search(stored) is not None
    else:
        marked = _MARK_IN_BYTES.search(stored) is not None
    return marked and is_session_envelope(parse_json(stored))


def is_session_envelope(row: Item) -> bool:
    """Tell a parsed row of EncryptedSession."""
    return (
        isinstance(row, dict) and row.get("__enc__") == 1 and {"payload", "kid", "v"} <= row.keys()
    )


def is_fernet_token(stored: Stored) -> bool:
    """Tell a bare Fernet token by its form: what begins as one, or is one throughout."""
    if stored[:1] not in {"g", b"g"}:
        return False
    token = token_text(stored)
    return token.startswith("gAAAAA") or is_canonical_token(token)


def is_canonical_token(token: str) -> bool:
    """Tell what Fernet itself writes (https://github.com/fernet/spec).

    Python's decoders skip stray characters and ignore stray bits, so the bytes are encoded again.
    """
    try:
        raw = base64.urlsafe_b64decode(token)
    except ValueError:
        return False
    blocks, rest = divmod(len(raw) - _TOKEN_OVERHEAD, _TOKEN_BLOCK)
    sound = blocks >= 1 and rest == 0 and raw[0] == _TOKEN_VERSION
    return sound and base64.urlsafe_b64encode(raw).decode("ascii") == token


def token_text(stored: Stored) -> str:
    """Return stored text, or its bytes, as text; latin-1 takes every byte, and ASCII is ASCII."""
    return stored if isinstance(stored, str) else stored.decode("latin-1")


def parse_json(data: Stored) -> Item | PayloadError:
    """Parse; an error is returned without the frames it came through, which hold the document."""
    if len(data) > MAX_VALUES and _JSON.count_values(data, MAX_VALUES) > MAX_VALUES:
        return PayloadError(f"The row holds more than {MAX_VALUES} values.")
    try:
        return _JSON.loads(data)
    except PayloadError as error:
        return error.with_traceback(None)


def parse_content(data: bytes) -> Item | PayloadError:
    """Parse the JSON inside a row.

    NotJSONError is for bare rows, which some sessions leave out; what a row holds is never that.
    """
    outcome = parse_json(data)
    if isinstance(outcome, NotJSONError):
        return PayloadError("What the row holds is not JSON.")
    return outcome
