"""A key: 32 bytes, written as base64.

A key encrypts nothing itself: ciphers derive a subkey for each session from it, with HKDF-SHA256
(RFC 5869). No key, as text or bytes, gets into a repr, an exception, a pickle or a traceback that
shows locals. For the sake of the last, a function that looks into keys returns a problem instead of
raising, and a function that raises drops its locals first.
"""

from __future__ import annotations

import base64
import hmac
import os
import unicodedata
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom.errors import ConfigurationError
from strongroom.format.envelope import KEY_ID_SIZE
from strongroom.keys.guarded import Guarded

_KEY_SIZE = 32
_MIN_SALT_SIZE = 16


class Key(Guarded):
    """A secret of 32 bytes.

    ``id`` names it in rows and messages: twelve characters of base64url, computed from the key.
    """

    __slots__ = ("_material", "id")

    id: str
    _material: bytes

    def __init__(self, material: bytes) -> None:
        if not _has_key_size(material):
            del self, material  # A traceback that shows locals has nothing to show.
            raise ConfigurationError("A key is made of 32 bytes exactly.")
        object.__setattr__(self, "_material", material)
        raw_id = self.derive(b"strongroom key id v1", KEY_ID_SIZE)
        object.__setattr__(self, "id", base64.urlsafe_b64encode(raw_id).decode("ascii"))

    @classmethod
    def generate(cls) -> Self:
        """Make a new random key."""
        return cls(os.urandom(_KEY_SIZE))

    @classmethod
    def from_base64(cls, text: str) -> Self:
        """Read a key of 32 bytes in base64; a Fernet key is one.

        The alphabet is the standard or the URL-safe one, and the padding may be left out. Anything
        else is a ConfigurationError: whitespace, or a second spelling of the same bytes.
        """
        material = key_bytes(text)
        del text
        if material is None:
            raise ConfigurationError(
                "That is no key: a key is 32 bytes in canonical base64, 43 characters and perhaps "
                "a '=', in one alphabet and without whitespace."
            )
        return cls(material)

    @classmethod
    def from_passphrase(cls, passphrase: str, *, salt: bytes) -> Self:
        """Stretch a passphrase with Argon2id (RFC 9106): 3 passes, 64 MiB, 4 lanes.

        The salt is at least 16 random bytes, kept with the configuration: without it the key
        cannot be had again. The passphrase is taken as UTF-8 in NFC, however accents were typed.
        """
        problem = _passphrase_problem(passphrase, salt)
        try:
            if problem:
                raise ConfigurationError(problem)
            argon2id = Argon2id(
                salt=salt, length=_KEY_SIZE, iterations=3, lanes=4, memory_cost=64 * 1024
            )
            return cls(argon2id.derive(unicodedata.normalize("NFC", passphrase).encode("utf-8")))
        except UnsupportedAlgorithm as error:
            raise ConfigurationError(
                "This build of cryptography has no Argon2id: OpenSSL 3.2 or later has."
            ) from error
        finally:
            del passphrase

    def to_base64(self) -> str:
        """Return the key itself as padded URL-safe base64: what Fernet calls a key."""
        return base64.urlsafe_b64encode(self._material).decode("ascii")

    def derive(self, info: bytes, length: int = 32) -> bytes:
        """Return a subkey: HKDF-SHA256 without salt; ``info`` says what it is for."""
        hkdf = HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info)
        return hkdf.derive(self._material)

    def __repr__(self) -> str:
        return f"Key(id={self.id!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Key):
            return NotImplemented
        return hmac.compare_digest(self._material, other._material)

    def __hash__(self) -> int:
        return hash(self.id)


def key_bytes(text: object) -> bytes | None:
    """Return the bytes of a key in base64, or None if the text is no key."""
    if not isinstance(text, str):
        return None
    padded = text if text.endswith("=") else text + "="
    try:
        material = base64.urlsafe_b64decode(padded.replace("+", "-").replace("/", "_"))
    except ValueError:
        return None
    spellings = (base64.b64encode(material), base64.urlsafe_b64encode(material))
    return material if len(material) == _KEY_SIZE and padded.encode() in spellings else None


def _has_key_size(material: object) -> bool:
    return isinstance(material, bytes) and len(material) == _KEY_SIZE


def _passphrase_problem(passphrase: object, salt: object) -> str | None:
    if not isinstance(passphrase, str) or not passphrase:
        return "A passphrase is a text that is not empty."
    if any("\ud800" <= character <= "\udfff" for character in passphrase):
        return "A passphrase cannot hold a lone surrogate, which UTF-8 does not have."
    if not isinstance(salt, bytes) or len(salt) < _MIN_SALT_SIZE:
        return "A salt is at least 16 random bytes: make it once with os.urandom(16) and keep it."
    return None
