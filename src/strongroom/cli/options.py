"""Options that commands share, and how a command takes a whole group of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from strongroom.cli.failures import AGAIN_MESSAGE, INTERRUPTED, Failure


class ColumnType(StrEnum):
    """The type of the column that holds the rows."""

    TEXT = "text"
    BINARY = "binary"


@dataclass(frozen=True)
class Output:
    """How a command speaks."""

    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error, without secrets.")
    ] = False


@dataclass(frozen=True)
class Report(Output):
    """How a command that reads speaks."""

    json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")] = (
        False
    )


@dataclass(frozen=True)
class Place:
    """Where the tables are."""

    url: Annotated[
        str | None,
        typer.Option(
            envvar="STRONGROOM_URL",
            metavar="URL",
            help="The database, such as sqlite+aiosqlite:///memory.db. Others can see a command "
            "line: a URL with a password belongs into the variable.",
        ),
    ] = None
    column_type: Annotated[
        ColumnType, typer.Option(help="The type of the column that holds the rows.")
    ] = ColumnType.TEXT
    schema: Annotated[str | None, typer.Option(metavar="NAME", help="The tables' schema.")] = None
    sessions_table: Annotated[str, typer.Option(metavar="NAME", help="The table of sessions.")] = (
        "agent_sessions"
    )
    messages_table: Annotated[str, typer.Option(metavar="NAME", help="The table of rows.")] = (
        "agent_messages"
    )


AnyMode = Annotated[
    bool,
    typer.Option("--any-mode", help="Take a key file that others can read: for mounted secrets."),
]
Namespace = Annotated[
    str, typer.Option(metavar="TEXT", help="The namespace that the rows are bound to.")
]
LedgerKeyFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The keys of the store's ledger. Without it they are those of the variable "
        "STRONGROOM_LEDGER_KEYS, if it is set; else the store has no ledger.",
    ),
]
Folder = Annotated[Path | None, typer.Option(metavar="FOLDER", help="The ledger's witness.")]


@dataclass(frozen=True)
class Ledgered(Place):
    """Where the tables are, and the ledger that changes of them have to keep."""

    namespace: Namespace = ""
    ledger_key_file: LedgerKeyFile = None
    any_mode: AnyMode = False
    witness: Folder = None


@dataclass(frozen=True)
class Keys:
    """Where the keys are."""

    key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="STRONGROOM_KEY_FILE",
            help="A file of keys, one a line, the primary one first; mode 600. Without it the "
            "keys are those of the variable STRONGROOM_KEYS, with commas between them.",
        ),
    ] = None
    any_mode: AnyMode = False


@dataclass(frozen=True)
class Sealed(Keys, Place):
    """Where the tables are, and how their rows are written and read."""

    codec: Annotated[
        str | None,
        typer.Option(
            envvar="STRONGROOM_CODEC",
            metavar="SPEC",
            help="serializer[+compressor][+cipher], such as orjson+aesgcm. Commands that only "
            "read take json without it.",
        ),
    ] = None
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="What else may be read: plaintext, fernet, aesgcm, fernet-token (its keys in "
            "STRONGROOM_FERNET_KEYS, else those of --key-file), or encrypted-session (its "
            "master key in STRONGROOM_MASTER_KEY, and --ttl). Repeat it for several.",
        ),
    ] = None
    ttl: Annotated[
        str | None,
        typer.Option(
            metavar="SECONDS|none",
            help="With --accept encrypted-session: leave out rows that are older, as that class "
            "does (its default is 600), or none of them.",
        ),
    ] = None
    namespace: Namespace = ""
    ledger_key_file: LedgerKeyFile = None
    witness: Folder = None


Prefix = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Only sessions whose id begins with this text."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


def takes_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of the groups that its parameters name."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {}
    options: dict[str, inspect.Parameter] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        kind = hints[name]
        if not is_dataclass(kind):
            options[name] = parameter.replace(annotation=kind)
            continue
        groups[name] = kind
        known = get_type_hints(kind, include_extras=True)
        for field in fields(kind):
            options[field.name] = inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=known[field.name],
            )

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        try:
            command(**given)
        except KeyboardInterrupt:  # typer would end without a word
            raise Failure(f"Interrupted. {AGAIN_MESSAGE}", INTERRUPTED) from None

    ordered = sorted(options.values(), key=lambda option: option.kind)
    wrapper.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {option.name: option.annotation for option in ordered}
    return wrapper
