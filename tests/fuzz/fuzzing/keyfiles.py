"""Key files, and variables that hold keys: read by Keyring and changed by the command line."""

from __future__ import annotations

import base64
import os
import re
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from random import Random
from unittest import mock

from fuzzing import key_texts, leaks, mutation, shell
from fuzzing.cases import Case
from fuzzing.findings import WRONG, Finding, foreign
from fuzzing.key_texts import lines_of, second_reader
from fuzzing.row_cases import SMALL
from fuzzing.sealing import KEYS, key_id
from strongroom import ConfigurationError, Key, Keyring

_VARIABLE = "STRONGROOM_KEYS"
_RUN = re.compile(r"[A-Za-z0-9+/_-]{20,}")


class KeyFiles:
    """Files with keys that are right, nearly right and wrong."""

    name = "keyfiles"

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="strongroom-fuzz-"))

    def generate(self, rng: Random) -> Case:
        """Return what a file or a variable holds, and what is done with it."""
        how = rng.choice(("file", "file", "variable", "text", "keygen", "primary", "drop", "keys"))
        lines = [key_texts.line(rng) for _ in range(rng.randrange(1, 5))]
        if rng.random() < 0.5:
            keys = rng.sample(KEYS, rng.randrange(1, 4))
            lines = [key_texts.spelled(rng, key) for key in keys]
        text = rng.choice(("\n", "\n", "\n", "\r\n", "\r", ",")).join(lines)
        text = ",".join(lines) if how == "variable" else lines[0] if how == "text" else text
        if rng.random() < 0.1:
            data = mutation.of_bytes(rng, text.encode("utf-8", "surrogateescape"))
            text = data.decode("latin-1")
        chosen = base64.urlsafe_b64encode(key_id(rng.choice(KEYS))).decode()
        odd = rng.choice(("", "x", "AAAAAAAAAAAA", "--", "\u00e9", chosen[:-1], lines[0][:60]))
        return {
            "how": how,
            "text": text.encode("utf-8", "surrogateescape"),
            "mode": rng.choice((0o600, 0o600, 0o600, 0o400, 0o644, 0o640, 0o602)),
            "any_mode": rng.random() < 0.2,
            "id": odd if rng.random() < 0.2 else chosen,
        }

    def run(self, case: Case) -> str:
        """Read the keys, or change the file, and compare with a second reader."""
        path = self._folder / "keys"
        path.unlink(missing_ok=True)
        path.write_bytes(case["text"])
        path.chmod(case["mode"])
        if case["how"] in {"file", "variable", "text"}:
            return _read(path, case)
        return _change(self._folder, path, case)

    def max_size(self, case: Case) -> int:
        """Return a bound for the memory of a case."""
        return SMALL

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder)


def _secrets(data: bytes) -> set[str]:
    """Return what of a file no error may show: what looks like a key, or like most of one."""
    runs = _RUN.findall(data.decode("latin-1"))
    return {run[:20] for run in runs if set(run) != {"A"}} | _spellings()


@lru_cache(maxsize=1)
def _spellings() -> frozenset[str]:
    return frozenset(text for key in KEYS for text in leaks.spellings(key))


def _read(path: Path, case: Case) -> str:
    data, how = case["text"], case["how"]
    text = os.fsdecode(data)
    expected: list[bytes] | None
    try:
        if how == "file":
            expected = second_reader(lines_of(data), comments=True)
            if case["mode"] & 0o077 and not case["any_mode"]:
                expected = None
            found = list(Keyring.from_file(path, any_mode=case["any_mode"]))
        elif how == "variable":
            if b"\0" in data:
                return "no variable"
            expected = second_reader(text.split(","), comments=False)
            with mock.patch.dict(os.environ, {_VARIABLE: text}):
                found = list(Keyring.from_env(_VARIABLE))
        else:
            expected = second_reader([text], comments=False) if text == text.strip() else None
            found = [Key.from_base64(text)]
    except ConfigurationError as error:
        leaks.check(error, (), _secrets(data), how)
        if expected is not None:
            raise Finding(WRONG, f"{how}: good keys were refused: {error}", [how]) from None
        return "refused"
    except Exception as error:
        raise foreign(error, how) from None
    if expected is None or found != list(map(Key, expected)):
        raise Finding(WRONG, f"{how}: {found}, and the second reader says otherwise", [how])
    return "read"


def _change(folder: Path, path: Path, case: Case) -> str:
    data, how = case["text"], case["how"]
    arguments = {
        "keygen": ["keygen", "keys", "--add"],
        "primary": ["keys", "--key-file", "keys", "--primary", case["id"]],
        "drop": ["keys", "--key-file", "keys", "--drop", case["id"], "--yes"],
        "keys": ["keys", "--key-file", "keys", "--json"],
    }[how]
    arguments += ["--any-mode"] * case["any_mode"]
    done = shell.run(folder, arguments)
    # An id that is asked for may be named, whatever it is.
    hidden = {secret for secret in _secrets(data) if secret not in case["id"]}
    shell.check(done, arguments, hidden, ())
    after = path.read_bytes()
    before = second_reader(lines_of(data), comments=True)
    if before is None and done.code == 0:
        raise Finding(WRONG, f"{how} took a file that is none", [how])
    readable = before is not None and (case["any_mode"] or not case["mode"] & 0o077)
    if readable and done.code != 0 and how in {"keygen", "keys"}:
        raise Finding(WRONG, f"{how} refused a good file: {done.stderr[:120]}", [how])
    if done.code != 0 or how == "keys":
        if after != data:
            raise Finding(WRONG, f"{how} ended with {done.code} and changed the file", [how])
        return f"{how}: {done.code}"
    now = second_reader(lines_of(after), comments=True) or []
    kept = set(before or []) - ({_named(before or [], case["id"])} if how == "drop" else set())
    if not kept <= set(now) or len(now) != len(kept) + (how == "keygen"):
        raise Finding(WRONG, f"{how} left other keys", [how])
    if how == "primary" and now[0] != _named(before or [], case["id"]):
        raise Finding(WRONG, "another key is the primary one", [how])
    if path.stat().st_mode & 0o777 != case["mode"]:
        raise Finding(WRONG, f"{how} changed the mode", [f"mode after {how}"])
    return f"{how}: 0"


def _named(keys: list[bytes], wanted: str) -> bytes | None:
    ids = {base64.urlsafe_b64encode(key_id(key)).decode(): key for key in keys}
    return ids.get(wanted)
