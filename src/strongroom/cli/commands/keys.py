"""``keys``: list the ids of keys, and change their order."""

from __future__ import annotations

from typing import Annotated

import typer

from strongroom.cli import key_files
from strongroom.cli.configuration import read_keys
from strongroom.cli.console import confirm, print_json, say
from strongroom.cli.errors import CommandError
from strongroom.cli.exit_codes import USAGE
from strongroom.cli.options import KeyOptions, ReportOptions, Yes


def keys(
    output: ReportOptions,
    source: KeyOptions,
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
        raise CommandError("--primary and --drop change a --key-file, one at a time.", USAGE)
    elif primary is not None:
        ring = key_files.make_primary(source.key_file, primary, any_mode=source.any_mode)
    else:
        confirm(f"Remove key {drop} from {source.key_file}? It cannot be had again.", yes=yes)
        ring = key_files.drop(source.key_file, drop or "", any_mode=source.any_mode)
    ids = [key.id for key in ring or ()]
    if output.json:
        print_json({"primary": ids[0], "others": ids[1:]})
        return
    for number, key_id in enumerate(ids):
        say(f"{key_id}  {'reads' if number else 'primary'}")
