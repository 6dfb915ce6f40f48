"""Options that commands share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ColumnType(StrEnum):
    """The type of the column that holds the rows."""

    TEXT = "text"
    BINARY = "binary"


@dataclass(frozen=True)
class OutputOptions:
    """How a command speaks."""

    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error, without secrets.")
    ] = False


@dataclass(frozen=True)
class ReportOptions(OutputOptions):
    """How a command that reads speaks."""

    json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")] = (
        False
    )


@dataclass(frozen=True)
class TableOptions:
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
    typer.Option("--any-mode", help="Take a key file of any owner and mode: for mounted secrets."),
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
WitnessId = Annotated[
    str | None,
    typer.Option(metavar="ID", help="The id of the witness: any other folder is refused."),
]


@dataclass(frozen=True)
class LedgerOptions(TableOptions):
    """Where the tables are, and the ledger that changes of them have to keep."""

    namespace: Namespace = ""
    ledger_key_file: LedgerKeyFile = None
    any_mode: AnyMode = False
    witness: Folder = None
    witness_id: WitnessId = None


@dataclass(frozen=True)
class KeyOptions:
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
class CodecOptions(KeyOptions, TableOptions):
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
            help="Read this form too: plaintext, fernet, aesgcm, fernet-token (its keys in "
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
    witness_id: WitnessId = None


@dataclass(frozen=True)
class TargetOptions:
    """Where a copy goes, as far as that is not as in its source."""

    to_url: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar="STRONGROOM_TO_URL", help="The target's database."),
    ] = None
    to_codec: Annotated[
        str | None, typer.Option(metavar="SPEC", help="How the target's rows are written.")
    ] = None
    to_key_file: Annotated[Path | None, typer.Option(metavar="FILE", help="The target's keys.")] = (
        None
    )
    to_namespace: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The target's namespace.")
    ] = None
    to_column_type: Annotated[ColumnType | None, typer.Option(help="The target's column type.")] = (
        None
    )
    to_schema: Annotated[str | None, typer.Option(metavar="NAME", help="The target's schema.")] = (
        None
    )
    to_sessions_table: Annotated[
        str | None, typer.Option(metavar="NAME", help="The target's table of sessions.")
    ] = None
    to_messages_table: Annotated[
        str | None, typer.Option(metavar="NAME", help="The target's table of rows.")
    ] = None


Prefix = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Only sessions whose id begins with this text."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
