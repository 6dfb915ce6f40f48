"""Rows that are bare Fernet tokens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from strongroom.codec.readers._forms import (
    is_canonical_token,
    is_fernet_token,
    parse_content,
    token_text,
)
from strongroom.errors import AuthenticationError, ConfigurationError, DecodeError, EnvelopeError
from strongroom.keys.key import Key
from strongroom.keys.keyring import Keyring

if TYPE_CHECKING:
    from strongroom.protocols import Item, Stored


@dataclass(frozen=True, init=False)
class FernetTokenReader:
    """Rows that are bare Fernet tokens of JSON, as a ``_serialize_item`` of one's own writes them.

    A token does not tell its key, so each key of ``keys`` is tried. They are used as they are:
    ``Key.from_base64`` takes a Fernet key. No time to live is applied.
    """

    keys: Keyring
    _fernet: MultiFernet = field(repr=False, compare=False)

    name: ClassVar[str] = "fernet-token"

    def __init__(self, keys: Keyring | Iterable[Key]) -> None:
        keyring = _keyring(keys)
        if isinstance(keyring, str):
            del self, keys  # A traceback that shows locals has nothing to show.
            raise ConfigurationError(keyring)
        object.__setattr__(self, "keys", keyring)
        fernets = [Fernet(key.to_base64()) for key in keyring]
        object.__setattr__(self, "_fernet", MultiFernet(fernets))

    def matches(self, stored: Stored, /) -> bool:
        """Recognise tokens, also those that have been damaged behind their first characters."""
        return is_fernet_token(stored)

    def decode(self, stored: Stored, /, *, context: str) -> Item:
        """Return the item; raises EnvelopeError, AuthenticationError or PayloadError."""
        token = token_text(stored)
        if not is_canonical_token(token):
            raise EnvelopeError("The row is a damaged Fernet token: truncated, or not canonical.")
        try:
            outcome = parse_content(self._fernet.decrypt(token))
        except InvalidToken as error:
            raise AuthenticationError(
                "The row is a Fernet token, and no key of its reader opens it: the key is missing, "
                "or the row was altered."
            ) from error
        if isinstance(outcome, DecodeError):
            raise outcome
        return outcome


def _keyring(keys: object) -> Keyring | str:
    """Return a reader's keys as a keyring, or what is wrong with them."""
    if isinstance(keys, Keyring):
        return keys
    if isinstance(keys, str | bytes) or not isinstance(keys, Iterable):
        return "FernetTokenReader takes a Keyring or several Key objects."
    try:
        return Keyring(*keys)
    except ConfigurationError as error:
        return error.message
