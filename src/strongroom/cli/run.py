"""Running a command: its exit code, and what is printed when it fails."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from strongroom.cli.app import app
from strongroom.cli.console import Notes, note
from strongroom.cli.errors import explain, trace
from strongroom.cli.exit_codes import PROBLEMS
from strongroom.cli.formatting import printable
from strongroom.cli.redaction import redact


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code."""
    debug = "--debug" in arguments
    if not debug:
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with contextlib.suppress(AttributeError):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    logger, handler = logging.getLogger("strongroom"), Notes()
    logger.addHandler(handler)
    try:
        code: Any = app(list(arguments), prog_name="strongroom", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output, such as head, has closed it.
        _drop_output()
        return PROBLEMS
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is told in a line or two
        problem = _report(error, debug=debug)
        try:
            sys.stdout.flush()
        except OSError:
            _drop_output()
        return problem
    finally:
        logger.removeHandler(handler)
    return code if isinstance(code, int) else 0


def _drop_output() -> None:
    """Turn to nothing what cannot be written: Python would complain when it flushes at its end."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: BaseException, *, debug: bool) -> int:
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else PROBLEMS
    code = getattr(error, "exit_code", None)
    if type(error).__name__ == "Abort":  # typer turns Ctrl-C into it
        error = KeyboardInterrupt()
    elif isinstance(code, int):
        if hasattr(error, "format_message"):
            _report_usage(error)
        return code
    if debug:
        note(trace(error))
    message, code = explain(error)
    note(message, "red")
    return code


def _report_usage(error: Any) -> None:
    """Print what is wrong with the command line, which may hold a URL with a password."""
    note(redact(printable(error.format_message(), lines=True)), "red")
    context = getattr(error, "ctx", None)
    if context is not None:
        note(f"Try '{context.command_path} --help'.")
