"""The commands, and what happens when one fails."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from strongroom.cli import keys, ledgers, lines, moving, rows, sessions, trying
from strongroom.cli.console import Notes, note
from strongroom.cli.failures import PROBLEMS, explain, redact, trace
from strongroom.cli.options import takes_groups
from strongroom.cli.plain import safe

app = typer.Typer(
    name="strongroom",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

_COMMANDS: tuple[Callable[..., None], ...] = (
    keys.keygen,
    keys.keys,
    sessions.sessions,
    sessions.show,
    rows.inspect,
    rows.stats,
    rows.verify,
    moving.recode,
    moving.copy,
    lines.export,
    lines.import_,
    sessions.delete,
    moving.upgrade,
    trying.compare,
)


def _register(group: typer.Typer, command: Callable[..., None]) -> None:
    text = inspect.cleandoc(command.__doc__ or "").replace("\\b\n", "\b\n")
    short = text.partition(".")[0].partition(":")[0] + "."
    name = command.__name__.rstrip("_")
    group.command(name, help=text, short_help=short)(takes_groups(command))


for _command in _COMMANDS:
    _register(app, _command)
_ledger = typer.Typer(
    help="Turn a ledger on for sessions that are there already, or on again after a mishap.",
    short_help="Turn a ledger on: adopt, reset.",
    no_args_is_help=False,
    rich_markup_mode=None,
)
for _command in (ledgers.adopt, ledgers.reset):
    _register(_ledger, _command)
app.add_typer(_ledger, name="ledger")


_HELP = """Look at, check, encrypt, rotate and move the conversations of AI agents.

Keys come from --key-file or STRONGROOM_KEYS, the database from --url or STRONGROOM_URL, and how
rows are written from --codec or STRONGROOM_CODEC.

\b
Examples:
  export STRONGROOM_URL=sqlite+aiosqlite:///memory.db
  strongroom stats
  strongroom sessions --prefix user-
  strongroom show user-123 --codec orjson+aesgcm --key-file keys
  strongroom recode --codec orjson+aesgcm --accept plaintext --key-file keys

\b
Exit codes:
  0    done, and nothing is wrong
  1    something is wrong: rows do not open, sessions differ, or you said no
  2    the command line cannot be read
  3    no URL, no key, a missing table or package: change the configuration
  4    the database, the network or the disk failed: run it again
  130  interrupted: run it again
"""


@app.callback(invoke_without_command=True, help=_HELP)
def strongroom(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Run before every command."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(version_of("strongroom"))
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code."""
    debug = "--debug" in arguments
    if not debug:
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    logger, handler = logging.getLogger("strongroom"), Notes()
    logger.addHandler(handler)
    try:
        code: Any = app(list(arguments), prog_name="strongroom", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # What reads our output has enough.
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
    note(redact(safe(error.format_message(), lines=True)), "red")
    context = getattr(error, "ctx", None)
    if context is not None:
        note(f"Try '{context.command_path} --help'.")
