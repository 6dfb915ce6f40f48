"""The commands of ``strongroom``, and its help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from strongroom.cli.commands.compare import compare
from strongroom.cli.commands.copy import copy
from strongroom.cli.commands.delete import delete
from strongroom.cli.commands.export import export
from strongroom.cli.commands.import_ import import_
from strongroom.cli.commands.inspect import inspect
from strongroom.cli.commands.keygen import keygen
from strongroom.cli.commands.keys import keys
from strongroom.cli.commands.ledger import adopt, reset, witness
from strongroom.cli.commands.recode import recode
from strongroom.cli.commands.sessions import sessions
from strongroom.cli.commands.show import show
from strongroom.cli.commands.stats import stats
from strongroom.cli.commands.upgrade import upgrade
from strongroom.cli.commands.verify import verify
from strongroom.cli.option_groups import add_command

COMMANDS: tuple[Callable[..., None], ...] = (
    keygen,
    keys,
    sessions,
    show,
    inspect,
    stats,
    verify,
    recode,
    copy,
    export,
    import_,
    delete,
    upgrade,
    compare,
)
LEDGER_COMMANDS: tuple[Callable[..., None], ...] = (adopt, reset, witness)

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
  70   an error that strongroom does not know: --debug shows where
  130  interrupted: run it again
"""

app = typer.Typer(
    name="strongroom",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
ledger = typer.Typer(
    help="Turn a ledger on for sessions that are there already, or on again after a mishap, and "
    "make its witness.",
    short_help="Turn a ledger on: adopt, reset, witness.",
    no_args_is_help=False,
    rich_markup_mode=None,
)
for command in COMMANDS:
    add_command(app, command)
for command in LEDGER_COMMANDS:
    add_command(ledger, command)
app.add_typer(ledger, name="ledger")


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
