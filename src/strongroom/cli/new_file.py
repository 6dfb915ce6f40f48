"""A new file that only its owner can read, complete or not there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from strongroom.cli.errors import CommandError
from strongroom.cli.exit_codes import PROBLEMS


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[TextIO]:
    """Open ``path`` with ``.part`` behind its name; it gets its own name at the end.

    Raises CommandError where either is there already, and changes neither.
    """
    check_is_new(path)
    unfinished = path.with_name(f"{path.name}.part")
    try:
        # Exclusively: a link that somebody has put there would be written through.
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(
            f"{unfinished} exists already, and was not changed: another command is writing it, or "
            "one was killed. Remove it if none is running, and run the command again.",
            PROBLEMS,
        ) from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), 0o600)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        _rename(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def check_is_new(path: Path) -> None:
    """Raise CommandError where something is at ``path``, be it a link to nothing."""
    if os.path.lexists(path):
        raise _exists(path)


def _rename(unfinished: Path, path: Path) -> None:
    """Give a file its name, unless somebody has taken the name meanwhile."""
    try:
        os.link(unfinished, path)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # a file system without hard links
        check_is_new(path)
        unfinished.replace(path)
    else:
        unfinished.unlink()


def _exists(path: Path) -> CommandError:
    return CommandError(f"{path} exists already, and was not changed.", PROBLEMS)
