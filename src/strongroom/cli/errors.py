"""Explain a failure to the user: a line or two that say what to do, and an exit code."""

from __future__ import annotations

import os
import re
import traceback
from pathlib import Path
from typing import Any

from strongroom.cli.exit_codes import AGAIN, CONFIGURATION, INTERRUPTED, PROBLEMS, UNEXPECTED, USAGE
from strongroom.cli.formatting import printable
from strongroom.cli.redaction import redact

_PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"
_FULL = ("disk is full", "no space left", "disk full", "could not extend file", "is full")
_OPTIONS = {
    "pass create_tables=True to make the tables that are missing": "import and copy make tables",
    'column_type="text"': "--column-type text",
    'column_type="binary"': "--column-type binary",
    "any_mode=True": "--any-mode",
    'accept=("plaintext",)': "--accept plaintext",
    "Pass create=True only where a new witness is to begin": (
        "`strongroom ledger witness FOLDER` makes one, only where a new witness is to begin"
    ),
    "leave out create=True, which is for the set-up of a new store": "it was not changed",
    "FileWitness(…, create=True), once": "`strongroom ledger witness FOLDER`, once",
    "rows_per_second is": "--rows-per-second is",
    "ledger=Ledger(…)": "--ledger-key-file",
}
"""The options of the command line, by the Python arguments that the library's messages name."""
_UNKNOWN_ARGUMENT = re.compile(r"unexpected keyword argument '(\w+)'")
_CHECK = "Check the URL and the server."
AGAIN_MESSAGE = (
    "The same command may be run again: what was committed stays, and it goes on from there."
)


class CommandError(Exception):
    """Ends a command with a message and an exit code."""

    def __init__(self, message: str, code: int = CONFIGURATION) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def explain(error: BaseException) -> tuple[str, int]:
    """Return the message and the exit code for whatever ended a command."""
    message, code = _explain(error)
    return redact(printable(name_options(message), lines=True)), code


def name_options(message: str) -> str:
    """Return a message of the library with options in the place of Python arguments."""
    for argument, option in _OPTIONS.items():
        message = message.replace(argument, option)
    return message


def trace(error: BaseException) -> str:
    """Return the traceback, for --debug."""
    return redact(printable("".join(traceback.format_exception(error)), lines=True))


def _explain(error: BaseException) -> tuple[str, int]:
    from strongroom.errors import ConfigurationError, StrongroomError

    if isinstance(error, CommandError):
        return error.message, error.code
    if isinstance(error, ConfigurationError):
        return str(error), CONFIGURATION
    if isinstance(error, StrongroomError):
        return f"{type(error).__name__}: {error}", PROBLEMS
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted.", INTERRUPTED
    if isinstance(error, ValueError) and _is_ours(error):
        return str(error), USAGE
    return _explain_foreign(error)


def _explain_foreign(error: BaseException) -> tuple[str, int]:
    """Explain what SQLAlchemy, a driver or the operating system raised."""
    from sqlalchemy.exc import DBAPIError

    # The text of a DBAPIError itself holds the statement and its values.
    cause: BaseException = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig
    text = " ".join((_text(cause).strip() or type(cause).__name__).splitlines()[:1]).rstrip(".")
    if any(sign in text.lower() for sign in _FULL):
        return f"There is no room left: {text}. Make room. {AGAIN_MESSAGE}", AGAIN
    if isinstance(error, DBAPIError) or type(error).__module__.startswith("asyncpg"):
        return f"The database said: {text}. {_CHECK} {AGAIN_MESSAGE}", AGAIN
    if isinstance(error, OSError):
        if error.filename is not None and isinstance(error.filename, str | bytes | os.PathLike):
            return f"{os.fsdecode(error.filename)}: {error.strerror}.", CONFIGURATION
        return f"The database cannot be reached: {text}. {_CHECK} {AGAIN_MESSAGE}", AGAIN
    unknown = _UNKNOWN_ARGUMENT.search(text)
    if isinstance(error, TypeError) and unknown and not _is_ours(error):
        return f"The database URL has an option that its driver lacks: {unknown[1]}.", CONFIGURATION
    name = type(error).__name__
    return f"An error that strongroom does not know: {name}. --debug shows where.", UNEXPECTED


def _text(error: BaseException) -> str:
    """Return a driver's message; those of MySQL are pairs of a number and a text."""
    arguments: Any = error.args
    if len(arguments) == 2 and isinstance(arguments[1], str):
        return arguments[1]
    text = str(error)
    return text.partition(": ")[2] if text.startswith("<class ") else text


def _is_ours(error: BaseException) -> bool:
    """Tell an error that strongroom itself raised from one that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename.startswith(_PACKAGE)
