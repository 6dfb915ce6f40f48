"""Files in a folder that nobody but its owner can change, durable, and without following links.

Every function takes the descriptor of the open folder, so that the folder cannot be exchanged
between a check and a use. All raise WitnessError, and OSError for other failures of the disk.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from strongroom.errors import WitnessError

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW
_MOST = 256
"""How many bytes of a file are read: no file of a witness has more."""


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a folder that belongs to this process's user, or to root, and that others cannot write.

    Yields its descriptor.
    """
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    except FileNotFoundError:
        raise WitnessError(
            f"The witness's folder {str(path)!r} is gone: mount or restore it."
        ) from None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise WitnessError(
                f"The witness's path {str(path)!r} is a link, or no folder: name the folder itself."
            ) from None
        raise
    try:
        _check(os.fstat(folder), f"folder {str(path)!r}", "700")
        yield folder
    finally:
        os.close(folder)


@contextmanager
def locked(folder: int) -> Iterator[None]:
    """Keep other processes, and other threads, from writing to a folder."""
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(folder, fcntl.LOCK_UN)


def read(folder: int, name: str) -> bytes | None:
    """Return the beginning of a file, or None if there is none of this name."""
    try:
        # A pipe must not make the process wait.
        file = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _FLAGS, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise WitnessError(f"The witness's file {name} is a link: remove it.") from None
        raise
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise WitnessError(f"The witness's {name} is no file: remove it.")
        _check(status, f"file {name}", "600")
        return os.read(file, _MOST)
    finally:
        os.close(file)


def replace(folder: int, name: str, data: bytes) -> None:
    """Replace a file whole; return when the disk has it and its name.

    The caller holds the lock.
    """
    scratch = f"{name}.new"
    with suppress(FileNotFoundError):
        os.unlink(scratch, dir_fd=folder)  # A process that was killed left it.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS
    file = os.open(scratch, flags, 0o600, dir_fd=folder)
    try:
        os.write(file, data)
        os.fsync(file)
    finally:
        os.close(file)
    os.replace(scratch, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def names(folder: int) -> list[str]:
    """Return the names of a folder's entries."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def make_private(folder: int, name: str) -> None:
    """Take from everybody else the right to read and write a file of this process's user."""
    file = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _FLAGS, dir_fd=folder)
    try:
        os.fchmod(file, 0o600)
    finally:
        os.close(file)


def create(path: Path) -> None:
    """Make a folder of mode 700, and its parents, if there is none; the disk has it on return."""
    missing = []
    parent = path
    while not parent.exists() and not parent.is_symlink():
        missing.append(parent)
        parent = parent.parent
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for made in missing:
        above = os.open(made.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(above)
        finally:
            os.close(above)


def _check(status: os.stat_result, name: str, mode: str) -> None:
    """Refuse what another user owns or can write."""
    if status.st_uid not in {os.geteuid(), 0}:
        raise WitnessError(
            f"The witness's {name} belongs to user {status.st_uid}, and this process runs as user "
            f"{os.geteuid()}: run as that user, or `chown` it."
        )
    if status.st_mode & 0o022:
        raise WitnessError(
            f"The witness's {name} can be written by its group or by others (mode "
            f"{stat.S_IMODE(status.st_mode):o}): `chmod {mode}` it, or, where the mode is not "
            f"yours, make the witness in a folder of its own below."
        )
