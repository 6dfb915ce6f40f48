"""The command line in a folder of its own, in this process, with its output captured."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from fuzzing.findings import COMMAND, FOREIGN, KEY, PLAINTEXT, Finding
from strongroom.cli import main

CODES = {0, 1, 2, 3, 4}
"""The exit codes that the command line documents, but for an interrupt."""

_SECONDS = 1.0
"""How long a thread may outlive the command that started it."""


class Done(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    stdout: str
    stderr: str


def run(
    folder: Path, arguments: Sequence[str], *, stdin: str = "", env: dict[str, str] | None = None
) -> Done:
    """Run a command; whatever it lets out is a finding."""
    out, err = io.StringIO(), io.StringIO()
    threads, failed = set(threading.enumerate()), list[str]()
    kept = {name: text for name, text in os.environ.items() if not name.startswith("STRONGROOM_")}
    with (
        mock.patch.dict(os.environ, kept | (env or {}), clear=True),
        mock.patch.object(threading, "excepthook", lambda args: failed.append(str(args.exc_value))),
        mock.patch.object(sys, "stdin", io.StringIO(stdin)),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        try:
            code = main(list(arguments))
        except BaseException as error:
            detail = f"{type(error).__name__} out of {arguments[:1]}: {str(error)[:120]}"
            raise Finding(FOREIGN, detail, [f"{type(error).__name__} out of main"]) from None
        for thread in set(threading.enumerate()) - threads:
            thread.join(_SECONDS)
    if failed:
        detail = f"a thread of {arguments[:1]} failed: {failed[0]}"
        raise Finding(COMMAND, detail, [f"a thread failed: {failed[0]}"])
    return Done(code, out.getvalue(), err.getvalue())


def check(done: Done, arguments: Sequence[str], keys: Iterable[str], hidden: Iterable[str]) -> None:
    """Refuse an exit code that is not documented, and output that shows what it should not."""
    name = " ".join(arguments[:2] if arguments[:1] == ["ledger"] else arguments[:1])
    said = done.stdout + done.stderr
    if done.code not in CODES:
        last = done.stderr.strip().splitlines()[-1:]
        raise Finding(
            COMMAND, f"{name} ended with {done.code}: {last}", [f"code {done.code}", *last]
        )
    if any(key in said for key in keys):
        raise Finding(KEY, f"in the output of {name}", [f"output of {name}"])
    if any(text in said for text in hidden):
        raise Finding(PLAINTEXT, f"in the output of {name}", [f"output of {name}"])
    odd = sorted(
        {character for character in said if character != "\n" and not character.isprintable()}
    )
    if odd:
        raise Finding(COMMAND, f"{name} printed {odd!r}", [f"control characters by {name}"])
    if "--debug" in arguments:
        return
    if "Traceback" in said:
        raise Finding(COMMAND, f"{name} printed a traceback", [f"traceback by {name}"])
    if done.code not in {0, 1} and not done.stderr.strip():
        raise Finding(COMMAND, f"{name} ended with {done.code} and said nothing", ["silence"])
