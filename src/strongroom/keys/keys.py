"""Keys and keyrings.

A key is 32 bytes, written as base64. It encrypts nothing itself: ciphers derive a subkey for each
session from it, with HKDF-SHA256 (RFC 5869). No key, as text or bytes, gets into a repr, an
exception, a pickle or a traceback that shows locals. For the sake of the last, what looks into keys
returns a problem instead of raising, and what raises drops its locals first.
"""

from __future__ import annotations

import base64
import hmac
import os
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom.errors import ConfigurationError, UnknownKeyError
from strongroom.format.envelope import KEY_ID_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_KEY_SIZE = 32
_MIN_SALT_SIZE = 16


class Guarded:
    """A value that is never changed, pickled or copied into a second one."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        del value  # It may be a key.
        raise AttributeError(f"A {type(self).__name__} cannot be changed.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"A {type(self).__name__} cannot be changed.")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError("Keys are not pickled: let each process load its own keyring.")

    def __reduce__(self) -> NoReturn:
        self.__getstate__()


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
        material = _key_bytes(text)
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


class Keyring(Guarded):
    """The keys of an application: the primary one writes, and all of them read."""

    __slots__ = ("_by_id", "primary")

    primary: Key
    _by_id: dict[str, Key]

    def __init__(self, primary: Key | None = None, *others: Key) -> None:
        keys = (primary, *others)
        by_id = {key.id: key for key in keys if isinstance(key, Key)}
        problem = _keyring_problem(keys, by_id)
        del primary, others, keys  # Somebody may have passed the text of a key.
        if problem:
            del self
            raise ConfigurationError(problem)
        object.__setattr__(self, "_by_id", by_id)
        object.__setattr__(self, "primary", next(iter(by_id.values())))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], *, any_mode: bool = False) -> Self:
        """Read a file with one base64 key a line, the primary one first.

        Blank lines and lines that begin with ``#`` are skipped. ConfigurationError if it cannot be
        read, has no keys or a bad line, or is open to its group or to others; the last is let pass
        with ``any_mode``, for secrets that are mounted into a container.
        """
        if _holds_key(os.fspath(path)):
            del path
            raise ConfigurationError("Keyring.from_file takes the path of a file, not a key.")
        keys, bad = _parse_keys(_read_lines(Path(path), any_mode=any_mode), comments=True)
        if bad:
            raise ConfigurationError(
                f"Line {bad} of the key file {os.fspath(path)!r} is no key: write one key of 32 "
                "bytes as base64 on each line."
            )
        if not keys:
            raise ConfigurationError(f"The key file {os.fspath(path)!r} has no keys.")
        return cls(*keys)

    @classmethod
    def from_env(cls, name: str) -> Self:
        """Read base64 keys with commas between them from the environment, the primary one first.

        ConfigurationError if the variable is not set or empty, or an element is empty or no key.
        """
        if _holds_key(name):
            del name
            raise ConfigurationError("Keyring.from_env takes a variable's name, not a key.")
        if not os.environ.get(name, "").strip():
            raise ConfigurationError(f"The environment variable {name} is not set, or is empty.")
        keys, bad = _parse_keys(os.environ[name].split(","), comments=False)
        if bad:
            raise ConfigurationError(
                f"Element {bad} of the environment variable {name} is empty or no key: write keys "
                "of 32 bytes as base64, with commas between them."
            )
        return cls(*keys)

    def get(self, key_id: str) -> Key:
        """Return the key with this id; UnknownKeyError if the keyring does not hold it."""
        key = self._by_id.get(key_id)
        if key is None:
            raise UnknownKeyError(
                f"The row is sealed under key {key_id}, which the keyring does not hold: add that "
                "key behind the primary one; if no key of yours has this id, the row is not yours.",
                key_id=key_id,
            )
        return key

    def __iter__(self) -> Iterator[Key]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, key: object) -> bool:
        if isinstance(key, Key):
            return self._by_id.get(key.id) == key
        return isinstance(key, str) and key in self._by_id

    def __repr__(self) -> str:
        return f"Keyring({', '.join(map(repr, self))})"

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Keyring) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))


def _keyring_problem(keys: tuple[object, ...], by_id: dict[str, Key]) -> str | None:
    if keys == (None,):
        return "A keyring needs at least one key."
    if not all(isinstance(key, Key) for key in keys):
        return "A keyring is made of Key objects; Key.from_base64 makes one from text."
    if len(by_id) < len(keys):
        return "A keyring cannot hold two keys with one id: the same key is there twice."
    return None


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


def _key_bytes(text: object) -> bytes | None:
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


def _holds_key(text: object) -> bool:
    """Tell keys from a name or a path: what is taken for a name would end up in a message."""
    return isinstance(text, str) and any(_key_bytes(part.strip()) for part in text.split(","))


def _read_lines(path: Path, *, any_mode: bool) -> list[str]:
    """Return a key file's lines; latin-1 reads every byte, so nothing is raised over content."""
    try:
        with path.open(encoding="latin-1") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name != "posix" or any_mode or not mode & 0o077:
                return file.read().split("\n")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The key file cannot be read: {error}.") from error
    raise ConfigurationError(
        f"The key file {str(path)!r} is open to its group or to others (mode {mode & 0o777:o}): "
        "`chmod 600` it; for a mounted secret whose mode is not yours, pass any_mode=True."
    )


def _parse_keys(texts: Iterable[str], *, comments: bool) -> tuple[list[Key], int]:
    """Return the keys, and the number, counted from 1, of the first text that is none, or 0."""
    keys = []
    for number, text in enumerate(map(str.strip, texts), start=1):
        if comments and (not text or text.startswith("#")):
            continue
        material = _key_bytes(text)
        if material is None:
            return [], number
        keys.append(Key(material))
    return keys, 0
