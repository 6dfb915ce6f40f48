"""A keyring: the keys of an application, and the files and variables that it is read from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from strongroom.errors import ConfigurationError, UnknownKeyError
from strongroom.keys.guarded import Guarded
from strongroom.keys.key import Key, key_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


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
        read, has no keys or a bad line, belongs to neither the process's user nor root, or is open
        to its group or to others. ``any_mode`` lets any owner and mode pass, for secrets that are
        mounted into a container.
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


def _holds_key(text: object) -> bool:
    """Tell keys from a name or a path: what is taken for a name would end up in a message."""
    return isinstance(text, str) and any(key_bytes(part.strip()) for part in text.split(","))


def _read_lines(path: Path, *, any_mode: bool) -> list[str]:
    """Return a key file's lines; latin-1 reads every byte, so nothing is raised over content."""
    try:
        with path.open(encoding="latin-1") as file:
            problem = None if any_mode else _access_problem(os.fstat(file.fileno()))
            if problem is None:
                return file.read().split("\n")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The key file cannot be read: {error}.") from error
    raise ConfigurationError(
        f"The key file {str(path)!r} {problem}; for a mounted secret whose owner and mode are not "
        "yours, pass any_mode=True."
    )


def _access_problem(status: os.stat_result) -> str | None:
    """Say who else can read or write an open key file, and how to mend it; None if nobody.

    root can do so anyway. That a file belongs to another user is a problem for root too: its owner
    would choose the keys that root encrypts with.
    """
    if os.name != "posix":
        return None
    if status.st_uid not in {0, os.geteuid()}:
        return (
            f"belongs to another user (uid {status.st_uid}), who can put other keys into it: "
            "`chown` it to the user that runs this process, or run the process as its owner"
        )
    if status.st_mode & 0o077:
        mode = f"{status.st_mode & 0o777:o}"
        return f"is open to its group or to others (mode {mode}): `chmod 600` it"
    return None


def _parse_keys(texts: Iterable[str], *, comments: bool) -> tuple[list[Key], int]:
    """Return the keys, and the number, counted from 1, of the first text that is none, or 0."""
    keys = []
    for number, text in enumerate(map(str.strip, texts), start=1):
        if comments and (not text or text.startswith("#")):
            continue
        material = key_bytes(text)
        if material is None:
            return [], number
        keys.append(Key(material))
    return keys, 0
