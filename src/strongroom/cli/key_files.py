"""Key files: made, added to, and put into another order, never half-written."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from strongroom.cli.errors import CommandError
from strongroom.cli.exit_codes import PROBLEMS
from strongroom.cli.new_file import new_file

if TYPE_CHECKING:
    from strongroom import Key, Keyring


def make(path: Path) -> Key:
    """Write a new file with a new key; one that exists is left alone."""
    from strongroom import Key

    if os.path.lexists(path):
        raise CommandError(
            f"{path} exists already, and was not changed. --add puts a new key behind its keys.",
            PROBLEMS,
        )
    key = Key.generate()
    with new_file(path) as file:
        file.write(_entry(key))
    return key


def add(path: Path, *, primary: bool, any_mode: bool) -> Key:
    """Put a new key behind the others, or before them."""
    from strongroom import Key

    _read(path, any_mode=any_mode)
    key = Key.generate()
    text = path.read_text(encoding="latin-1")
    if text and not text.endswith("\n"):
        text += "\n"
    _replace(path, _entry(key) + text if primary else text + _entry(key))
    return key


def make_primary(path: Path, key_id: str, *, any_mode: bool) -> Keyring:
    """Put a key before the others; returns the keys in their new order."""
    ring = _read(path, any_mode=any_mode)
    key = _find(path, ring, key_id)
    if key != ring.primary:
        others = [other for other in ring if other != key]
        _replace(path, "".join(map(_entry, [key, *others])))
    return _read(path, any_mode=any_mode)


def drop(path: Path, key_id: str, *, any_mode: bool) -> Keyring:
    """Remove a key that is not the primary one; returns those that stay."""
    ring = _read(path, any_mode=any_mode)
    key = _find(path, ring, key_id)
    if key == ring.primary:
        raise CommandError(
            f"{key_id} is the primary key: make another one primary first.", PROBLEMS
        )
    _replace(path, "".join(_entry(other) for other in ring if other != key))
    return _read(path, any_mode=any_mode)


def _read(path: Path, *, any_mode: bool) -> Keyring:
    from strongroom import Keyring

    return Keyring.from_file(path, any_mode=any_mode)


def _find(path: Path, ring: Keyring, key_id: str) -> Key:
    if key_id not in ring:
        raise CommandError(f"{path} has no key with the id {key_id}.", PROBLEMS)
    return ring.get(key_id)


def _entry(key: Key) -> str:
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return f"# {key.id}, written {today}\n{key.to_base64()}\n"


def _replace(path: Path, text: str) -> None:
    """Put a file in the place of another, whole, with its mode and owner."""
    path = path.resolve()
    status = path.stat()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    scratch = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="latin-1") as file:
            os.fchmod(file.fileno(), status.st_mode & 0o777)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
