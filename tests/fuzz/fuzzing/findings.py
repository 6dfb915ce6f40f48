"""Findings: a case that broke a promise, and which one."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import Path

import strongroom

FOREIGN = "an error that is not ours"
WRONG = "a wrong item"
BULK = "one by one and in bulk differ"
TIME = "too much time"
MEMORY = "too much memory"
PLAINTEXT = "plaintext in an error"
KEY = "a key in an error"
STOPPED = "one row stops the others"
COMMAND = "a command that misbehaves"
KINDS = (FOREIGN, WRONG, BULK, TIME, MEMORY, PLAINTEXT, KEY, STOPPED, COMMAND)

_PACKAGE = Path(strongroom.__file__).parent


class Finding(Exception):  # noqa: N818 - it is a result
    """A promise that a case broke: the ``kind``, and the ``places`` where it showed."""

    def __init__(self, kind: str, detail: str, places: Iterable[str] = ()) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.places = tuple(sorted(set(places)))

    @property
    def signature(self) -> tuple[str, ...]:
        """The identity of a finding; several cases may share it."""
        return (self.kind, *(self.places or (self.detail,)))


def foreign(error: BaseException, during: str) -> Finding:
    """Return the finding that an error of somebody else came out of strongroom."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    where = ours[-1].name if ours else "outside strongroom"
    detail = f"{type(error).__name__} from {where} during {during}: {str(error)[:200]}"
    return Finding(FOREIGN, detail, [f"{type(error).__name__} in {where}"])
