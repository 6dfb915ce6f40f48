"""Suite 01: Fernet, as pyca/cryptography's ``Fernet`` has it.

body = the raw token, before its base64: 80 | timestamp 8 | IV 16 | ciphertext | HMAC 32, as
https://github.com/fernet/spec has it. No time to live is applied.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NoReturn

from cryptography.fernet import Fernet, InvalidToken

from strongroom.codec.ciphers._subkeys import (
    NOT_OPENED,
    PICKLE_REFUSED,
    keyring_problem,
    per_header,
)
from strongroom.errors import AuthenticationError, ConfigurationError

if TYPE_CHECKING:
    from strongroom.keys.keyring import Keyring


@dataclass(frozen=True, init=False)
class FernetCipher:
    """Fernet under a subkey for each session; the primary key of the keyring writes."""

    keys: Keyring

    name: ClassVar[str] = "fernet"

    def __init__(self, keys: Keyring) -> None:
        problem = keyring_problem(keys)
        if problem:
            del self, keys  # A traceback that shows locals has nothing to show.
            raise ConfigurationError(problem)
        object.__setattr__(self, "keys", keys)

    @property
    def key_id(self) -> str:
        """The id of the key that writes."""
        return self.keys.primary.id

    def bind(self, namespace: str, context: str, /) -> FernetBox:
        """Tie the cipher to a namespace and a context (the session id)."""
        return FernetBox(self.keys, namespace, context)


class FernetBox:
    """Fernet for one session; any number of threads may use it."""

    __slots__ = ("_primitive",)

    def __init__(self, keys: Keyring, namespace: str, context: str) -> None:
        self._primitive = per_header(keys, namespace, context, _fernet)

    def seal(self, payload: bytes, header: bytes, /) -> bytes:
        """Encrypt under the key that the header names; returns the raw token."""
        fernet, _ = self._primitive(header)
        # What base64.urlsafe_b64decode does, in half its overhead: this is most of ours.
        token = fernet.encrypt(payload).replace(b"-", b"+").replace(b"_", b"/")
        return binascii.a2b_base64(token)

    def seal_text(self, payload: bytes, header: bytes) -> str:
        """Encrypt; returns the body's text form, which is the token without its padding."""
        fernet, _ = self._primitive(header)
        return fernet.encrypt(payload).rstrip(b"=").decode("ascii")

    def open(self, body: bytes, header: bytes, /) -> bytes:
        """Decrypt; raises UnknownKeyError or AuthenticationError."""
        # Fernet's own base64 decoder is lax; what we encode ourselves leaves it no choice.
        return self._decrypt(base64.urlsafe_b64encode(body), header)

    def open_text(self, body: str, header: bytes) -> bytes:
        """Decrypt the text form of a body, of which the caller knows that it is canonical."""
        return self._decrypt(body.encode("ascii") + b"=" * (-len(body) % 4), header)

    def _decrypt(self, token: bytes, header: bytes) -> bytes:
        fernet, _ = self._primitive(header)
        try:
            return fernet.decrypt(token)
        except InvalidToken as error:
            raise AuthenticationError(NOT_OPENED) from error

    def __reduce__(self) -> NoReturn:
        raise TypeError(PICKLE_REFUSED)


def _fernet(subkey: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(subkey))
