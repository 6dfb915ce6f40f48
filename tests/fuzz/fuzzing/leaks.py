"""Looks for secrets in an error: in its text, in what hangs on it, and in the locals of its frames.

The locals are those that ``traceback.TracebackException(capture_locals=True)`` shows, as error
trackers do. Frames of the fuzzer itself do not count: a caller's frames hold what the caller holds.
"""

from __future__ import annotations

import base64
import logging
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fuzzing.findings import KEY, PLAINTEXT, Finding

_OURS = str(Path(__file__).parent)


def spellings(key: bytes, infos: Iterable[bytes] = ()) -> frozenset[str]:
    """Return a key, and its subkeys for these infos, as texts that may not be shown."""
    secrets = [key, *(HKDF(hashes.SHA256(), 32, None, info).derive(key) for info in infos)]
    found: set[str] = set()
    for secret in secrets:
        found |= {repr(secret)[2:-1], secret.hex()}
        found |= {base64.b64encode(secret).decode().rstrip("=")}
        found |= {base64.urlsafe_b64encode(secret).decode().rstrip("=")}
    return frozenset(found)


def check(
    error: BaseException, plaintexts: Iterable[str], keys: Iterable[str], during: str
) -> None:
    """Raise a Finding if an error shows one of these texts; the error's own frames are cut."""
    _cut(error)
    shown = list(_shown(error))
    whole = "\n".join([text for _, _, text in shown])  # one search for each secret, not hundreds
    for kind, secrets in ((PLAINTEXT, plaintexts), (KEY, keys)):
        found = [secret for secret in secrets if secret in whole]
        if found:
            places = {
                f"{Path(file).name}: {place}" if file else place
                for file, place, text in shown
                if any(secret in text for secret in found)
            }
            detail = f"{type(error).__name__} during {during}, in {', '.join(sorted(places))}"
            raise Finding(kind, detail, places)


def _cut(error: BaseException) -> None:
    """Drop the fuzzer's frames above strongroom's: to spell their locals would take long."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_OURS):
        frames = frames.tb_next
    error.__traceback__ = frames


def _shown(error: BaseException) -> Iterator[tuple[str, str, str]]:
    """Yield of an error and of all that hangs on it the file, the place, and what it shows."""
    pending: list[BaseException | None] = [error]
    known: set[int] = set()
    while pending:
        current = pending.pop()
        if current is None or id(current) in known:
            continue
        known.add(id(current))
        name = type(current).__name__
        yield "", f"{name}'s text", f"{current} {current!r} {current.args!r} {vars(current)!r}"
        for attribute in ("doc", "object", "obj", "__notes__"):
            yield "", f"{name}.{attribute}", repr(getattr(current, attribute, ""))
        pending += [current.__cause__, current.__context__, *getattr(current, "exceptions", ())]
    try:
        whole = traceback.TracebackException.from_exception(
            error, capture_locals=True, lookup_lines=False
        )
    except RecursionError:
        return  # Python 3.11 spells no locals that are nested so deeply, and shows nothing
    yield from _locals(whole, set())


def _locals(part: traceback.TracebackException, known: set[int]) -> Iterator[tuple[str, str, str]]:
    if id(part) in known:
        return
    known.add(id(part))
    for frame in part.stack:
        if not frame.filename.startswith(_OURS):
            for name, text in (frame.locals or {}).items():
                yield frame.filename, f"{name} in {frame.name}", text
    for other in (part.__cause__, part.__context__, *(part.exceptions or ())):
        if other is not None:
            yield from _locals(other, known)


class Leaks:
    """Looks into the errors of one case; what it finds is raised at the end, and hides nothing."""

    def __init__(self, plaintexts: Iterable[str], keys: Iterable[str]) -> None:
        self._plaintexts, self._keys = list(plaintexts), list(keys)
        self._found: list[Finding] = []

    def look(self, error: BaseException, during: str) -> None:
        """Look into an error, and go on."""
        try:
            check(error, self._plaintexts, self._keys, during)
        except Finding as finding:
            self._found.append(finding)

    def done(self) -> None:
        """Raise what was found, a key before all else."""
        for finding in sorted(self._found, key=lambda found: found.kind != KEY):
            raise finding


class Log(logging.Handler):
    """Keeps what strongroom logs during a case, and off the screen."""

    def __init__(self) -> None:
        super().__init__()
        self._texts: list[str] = []
        logger = logging.getLogger("strongroom")
        logger.addHandler(self)
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self._texts.append(record.getMessage())

    def check(self, secrets: Iterable[str]) -> None:
        """Raise a Finding if a secret was logged, and begin anew."""
        whole, self._texts = "\n".join(self._texts), []
        if any(secret in whole for secret in secrets):
            raise Finding(PLAINTEXT, "in a message of the log", ["the log"])

    def close(self) -> None:
        """Leave the logger as it was."""
        logger = logging.getLogger("strongroom")
        logger.removeHandler(self)
        logger.propagate = True
        super().close()
