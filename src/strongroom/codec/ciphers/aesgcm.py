"""Suite 02: AES-256-GCM (NIST SP 800-38D), as pyca/cryptography's ``AESGCM``.

body = nonce 12 | ciphertext | tag 16; the associated data is the binding. Nonces are random, which
SP 800-38D §8.3 allows for 2**32 messages under one key: here, for as many rows of one session.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.codec.ciphers._subkeys import (
    NOT_OPENED,
    PICKLE_REFUSED,
    keyring_problem,
    per_header,
)
from strongroom.errors import AuthenticationError, ConfigurationError, EncodeError

if TYPE_CHECKING:
    from strongroom.keys.keyring import Keyring

_NONCE_SIZE = 12


@dataclass(frozen=True, init=False)
class AesGcmCipher:
    """AES-256-GCM under a subkey for each session; the primary key of the keyring writes."""

    keys: Keyring

    name: ClassVar[str] = "aesgcm"

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

    def bind(self, namespace: str, context: str, /) -> AesGcmBox:
        """Tie the cipher to a namespace and a context (the session id)."""
        return AesGcmBox(self.keys, namespace, context)


class AesGcmBox:
    """AES-256-GCM for one session; any number of threads may use it."""

    __slots__ = ("_primitive",)

    def __init__(self, keys: Keyring, namespace: str, context: str) -> None:
        self._primitive = per_header(keys, namespace, context, AESGCM)

    def seal(self, payload: bytes, header: bytes, /) -> bytes:
        """Encrypt under the key that the header names; returns nonce, ciphertext and tag."""
        aesgcm, binding = self._primitive(header)
        nonce = os.urandom(_NONCE_SIZE)
        try:
            return nonce + aesgcm.encrypt(nonce, payload, binding)
        except OverflowError as error:
            raise EncodeError("AES-GCM encrypts 2 GiB of data at most.") from error

    def open(self, body: bytes, header: bytes, /) -> bytes:
        """Decrypt; raises UnknownKeyError or AuthenticationError."""
        aesgcm, binding = self._primitive(header)
        try:
            return aesgcm.decrypt(body[:_NONCE_SIZE], body[_NONCE_SIZE:], binding)
        except (InvalidTag, ValueError, OverflowError) as error:
            # ValueError: less than a nonce is left of the row; OverflowError: more than 2 GiB is.
            raise AuthenticationError(NOT_OPENED) from error

    def __reduce__(self) -> NoReturn:
        raise TypeError(PICKLE_REFUSED)
