"""``keygen``: make a key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli import key_files
from strongroom.cli.console import note, say
from strongroom.cli.errors import CommandError
from strongroom.cli.exit_codes import USAGE
from strongroom.cli.options import OutputOptions


def keygen(
    output: OutputOptions,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="The key file.")] = None,
    add: Annotated[
        bool, typer.Option("--add", help="Add a key to a file, behind the others: it reads only.")
    ] = False,
    primary: Annotated[
        bool, typer.Option("--primary", help="With --add: put it first, so that it writes.")
    ] = False,
    stdout: Annotated[
        bool, typer.Option("--stdout", help="Print a new key, and keep it nowhere.")
    ] = False,
    any_mode: Annotated[
        bool, typer.Option("--any-mode", help="With --add: take a file of any owner and mode.")
    ] = False,
) -> None:
    r"""Make a key: a new file that only you can read, or one key more in a file.

    The key itself is not printed, but for --stdout, which is for secret managers. A file that
    exists is never overwritten.

    \b
    Examples:
      strongroom keygen keys
      strongroom keygen keys --add
      strongroom keygen --stdout | vault kv put secret/strongroom keys=-
    """
    if (file is None) != stdout or (primary and not add) or (stdout and add):
        raise CommandError("Name one thing: FILE, FILE --add [--primary], or --stdout.", USAGE)
    if file is None:
        from strongroom import Key

        say(Key.generate().to_base64())
        return
    if add:
        key = key_files.add(file, primary=primary, any_mode=any_mode)
        role = (
            "primary: new rows are written with it" if primary else "it reads, and does not write"
        )
        note(f"Added key {key.id} to {file} ({role}).")
    else:
        key = key_files.make(file)
        note(f"Made {file} with key {key.id}. Keep a copy: without the key its rows are lost.")
    say(key.id)
