"""A witness that keeps the newest head of each session in files, outside the database.

::

    folder/marker          strongroom witness 1 <id, 32 hexadecimal digits>
    folder/<key, 64 hex>   53 52 57 31 | version 8 | tag 16
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct

from strongroom.errors import ConfigurationError, WitnessError
from strongroom.ledger import private_folder

_RECORD = Struct(">4sQ16s")
_MAGIC = b"SRW1"
_MARKER = "marker"
_MARKER_FORM = re.compile(rb"strongroom witness 1 ([0-9a-f]{32})\n")
_RECORD_NAME = re.compile(r"[0-9a-f]{64}")


class FileWitness:
    """Keeps one small file a session in a folder, durable before ``advance`` returns.

    ``path`` is the folder. It has a marker, a file with a random id, and is refused without it: an
    empty folder, such as the mount point of a volume that is not mounted, would else pass for a
    witness that has seen nothing. ``create=True`` makes the folder and the marker, once, where a
    new store begins; it raises where a marker is already. It also adopts a folder of strongroom
    0.1, which has records and no marker. ``id`` is that of the marker: any other folder is refused.

    The folder and its files belong to the user of the process or to root, and nobody else can write
    them. Processes of one host may share a folder; several hosts need a witness that they all
    reach. Works on POSIX systems. Raises ConfigurationError.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        create: bool = False,
        id: str | None = None,  # noqa: A002 - it is the id of the witness
    ) -> None:
        self._path = Path(path)
        if create and id is not None:
            raise ConfigurationError("A new witness draws its id: pass create or id, not both.")
        try:
            self._id = self._create() if create else self._existing()
        except WitnessError as error:
            problem = error.message
        except OSError as error:
            problem = f"The witness's folder {str(path)!r} cannot be used: {error.strerror}."
        else:
            problem = ""
            if id is not None and id != self._id:
                problem = (
                    f"The witness in {str(path)!r} has the id {self._id}, and {id} is expected. "
                    f"Is another volume mounted here?"
                )
        if problem:
            raise ConfigurationError(problem)

    @property
    def id(self) -> str:
        """The random id of the witness, which its folder's marker holds."""
        return self._id

    def __repr__(self) -> str:
        return f"FileWitness({str(self._path)!r}, id={self._id!r})"

    async def seen(self, key: bytes) -> tuple[int, bytes] | None:
        """Return the newest (version, tag) of a history; raises WitnessError."""
        return await asyncio.to_thread(self._seen, key)

    async def advance(self, key: bytes, version: int, tag: bytes) -> None:
        """Record a newer head; an older one changes nothing, another of this version is refused.

        Raises WitnessError.
        """
        await asyncio.to_thread(self._advance, key, version, tag)

    async def keys(self) -> list[bytes]:
        """Return the keys of all histories that were ever recorded; raises WitnessError."""
        return await asyncio.to_thread(self._keys)

    def _create(self) -> str:
        """Make the folder and its marker; returns the new id."""
        private_folder.create(self._path)
        with private_folder.opened(self._path) as folder, private_folder.locked(folder):
            if private_folder.read(folder, _MARKER) is not None:
                raise WitnessError(
                    f"There is a witness in {str(self._path)!r} already: leave out create=True, "
                    f"which is for the set-up of a new store."
                )
            for name in filter(_RECORD_NAME.fullmatch, private_folder.names(folder)):
                private_folder.make_private(folder, name)  # 0.1 left the mode to the umask.
            new = secrets.token_hex(16)
            private_folder.replace(folder, _MARKER, f"strongroom witness 1 {new}\n".encode())
        return new

    def _existing(self) -> str:
        """Return the id of the witness in the folder."""
        if not self._path.exists():
            raise WitnessError(
                f"There is no witness folder {str(self._path)!r}. Was it lost, or not mounted? "
                f"Pass create=True only where a new witness is to begin."
            )
        with private_folder.opened(self._path) as folder:
            found = _id_in(folder)
            if found is None and any(map(_RECORD_NAME.fullmatch, private_folder.names(folder))):
                raise WitnessError(
                    f"The witness in {str(self._path)!r} has no marker. If strongroom 0.1 made it, "
                    f"adopt it: FileWitness(…, create=True), once."
                )
        if found is None:
            raise WitnessError(
                f"The folder {str(self._path)!r} holds no witness. Was it emptied, or is its "
                f"volume not mounted? Pass create=True only where a new witness is to begin."
            )
        return found

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the folder, and refuse another one in its place."""
        try:
            with private_folder.opened(self._path) as folder:
                found = _id_in(folder)
                if found != self._id:
                    has = "has no marker" if found is None else f"is now the witness {found}"
                    raise WitnessError(
                        f"The folder {str(self._path)!r} {has}, and was the witness {self._id}. "
                        f"Was it emptied, or its volume unmounted? Mount or restore it."
                    )
                yield folder
        except OSError as error:
            raise WitnessError(
                f"The witness cannot be read or written: {error.strerror}."
            ) from error

    def _seen(self, key: bytes) -> tuple[int, bytes] | None:
        with self._opened() as folder:
            return _record_in(folder, key)

    def _advance(self, key: bytes, version: int, tag: bytes) -> None:
        with self._opened() as folder, private_folder.locked(folder):
            seen = _record_in(folder, key)
            if seen is not None and seen[0] == version and seen[1] != tag:
                raise WitnessError("The witness has seen another head of this version.")
            if seen is None or seen[0] < version:
                record = _RECORD.pack(_MAGIC, version, tag)
                private_folder.replace(folder, key.hex(), record)

    def _keys(self) -> list[bytes]:
        with self._opened() as folder:
            return [
                bytes.fromhex(name)
                for name in private_folder.names(folder)
                if _RECORD_NAME.fullmatch(name)
            ]


def _id_in(folder: int) -> str | None:
    """Return the id that a folder's marker holds, or None if it has no marker."""
    data = private_folder.read(folder, _MARKER)
    if data is None:
        return None
    form = _MARKER_FORM.fullmatch(data)
    if form is None:
        raise WitnessError("The witness's marker is damaged: restore it from a backup.")
    return form[1].decode("ascii")


def _record_in(folder: int, key: bytes) -> tuple[int, bytes] | None:
    """Return the version and the tag that are recorded for a history."""
    data = private_folder.read(folder, key.hex())
    if data is None:
        return None
    if len(data) != _RECORD.size or data[:4] != _MAGIC:
        raise WitnessError("A file of the witness is damaged: restore it from a backup.")
    _, version, tag = _RECORD.unpack(data)
    return version, tag
