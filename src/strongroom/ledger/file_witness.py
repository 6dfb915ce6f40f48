"""A witness that keeps the newest head of each session in files, outside the database."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct

from strongroom.errors import ConfigurationError, WitnessError

_RECORD = Struct(">4sQ16s")
_MAGIC = b"SRW1"


class FileWitness:
    """Keeps one small file a session in a folder, durable before ``advance`` returns.

    ``path`` is the folder. One that is missing is an error unless ``create`` is given: a witness
    that was lost would else pass for a new one, which has seen nothing. Processes of one host may
    share a folder; several hosts need a witness that they all reach. Works on POSIX systems.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = False) -> None:
        self._path = Path(path)
        if create:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._path.is_dir():
            raise ConfigurationError(
                f"There is no witness folder {str(self._path)!r}. Was it lost, or not mounted? "
                f"Pass create=True only where a new witness is to begin."
            )

    def __repr__(self) -> str:
        return f"FileWitness({str(self._path)!r})"

    async def seen(self, key: bytes) -> tuple[int, bytes] | None:
        """Return the newest (version, tag) of a history; raises WitnessError."""
        return await asyncio.to_thread(self._seen, key)

    async def advance(self, key: bytes, version: int, tag: bytes) -> None:
        """Record a newer head; an older one changes nothing, another of this version is refused.

        Raises WitnessError.
        """
        await asyncio.to_thread(self._advance, key, version, tag)

    def _seen(self, key: bytes) -> tuple[int, bytes] | None:
        if not self._path.is_dir():
            raise WitnessError("The witness's folder is gone: mount or restore it.")
        try:
            data = (self._path / key.hex()).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise WitnessError(f"The witness cannot be read: {error.strerror}.") from error
        if len(data) != _RECORD.size or data[:4] != _MAGIC:
            raise WitnessError("A file of the witness is damaged: restore it from a backup.")
        _, version, tag = _RECORD.unpack(data)
        return version, tag

    def _advance(self, key: bytes, version: int, tag: bytes) -> None:
        try:
            with self._locked():
                seen = self._seen(key)
                if seen is not None and seen[0] == version and seen[1] != tag:
                    raise WitnessError("The witness has seen another head of this version.")
                if seen is None or seen[0] < version:
                    self._write(key, _RECORD.pack(_MAGIC, version, tag))
        except OSError as error:
            raise WitnessError(f"The witness cannot be written: {error.strerror}.") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes out; the lock is the folder's own."""
        folder = os.open(self._path, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, key: bytes, data: bytes) -> None:
        """Replace a file whole, and wait until the disk has it and its name."""
        target = self._path / key.hex()
        scratch = target.with_suffix(".new")
        with scratch.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(target)
        folder = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
