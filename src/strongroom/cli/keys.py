"""``keygen`` and ``keys``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli import keyfile
from strongroom.cli.connect import read_keys
from strongroom.cli.console import ask, dump, note, say
from strongroom.cli.failures import USAGE, Failure
from strongroom.cli.options import Keys, Output, Report, Yes


def keygen(
    output: Output,
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
        bool, typer.Option("--any-mode", help="With --add: the file may be open to others.")
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
        raise Failure("Name one thing: FILE, FILE --add [--primary], or --stdout.", USAGE)
    if file is None:
        from strongroom import Key

        say(Key.generate().to_base64())
        return
    if add:
        key = keyfile.add(file, primary=primary, any_mode=any_mode)
        role = (
            "primary: new rows are written with it" if primary else "it reads, and does not write"
        )
        note(f"Added key {key.id} to {file} ({role}).")
    else:
        key = keyfile.make(file)
        note(f"Made {file} with key {key.id}. Keep a copy: without the key its rows are lost.")
    say(key.id)


def keys(
    output: Report,
    source: Keys,
    primary: Annotated[
        str | None, typer.Option(metavar="ID", help="Put this key first in the file.")
    ] = None,
    drop: Annotated[
        str | None, typer.Option(metavar="ID", help="Remove this key from the file; asks.")
    ] = None,
    yes: Yes = False,
) -> None:
    r"""List the ids of the keys, the primary one first; never the keys.

    The ids are those that `strongroom stats` counts rows by. A key is dropped for good: it has to
    be in no row any more, and in no backup that you mean to restore.

    \b
    Examples:
      strongroom keys --key-file keys
      strongroom keys --key-file keys --primary Zp3rYb2c8XwA
      strongroom keys --key-file keys --drop R0nQ1xk9m2Ls
    """
    if primary is None and drop is None:
        ring = read_keys(source, needed=True)
    elif source.key_file is None or (primary and drop):
        raise Failure("--primary and --drop change a --key-file, one at a time.", USAGE)
    elif primary is not None:
        ring = keyfile.make_primary(source.key_file, primary, any_mode=source.any_mode)
    else:
        ask(f"Remove key {drop} from {source.key_file}? It cannot be had again.", yes=yes)
        ring = keyfile.drop(source.key_file, drop or "", any_mode=source.any_mode)
    ids = [key.id for key in ring or ()]
    if output.json:
        dump({"primary": ids[0], "others": ids[1:]})
        return
    for number, key_id in enumerate(ids):
        say(f"{key_id}  {'reads' if number else 'primary'}")
