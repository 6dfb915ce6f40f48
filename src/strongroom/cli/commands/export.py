"""``export``: write items as JSON Lines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, TextIO

import typer

from strongroom.cli.console import is_file, note
from strongroom.cli.errors import CommandError
from strongroom.cli.exit_codes import USAGE
from strongroom.cli.formatting import format_count
from strongroom.cli.new_file import new_file
from strongroom.cli.open_store import open_store, run_async
from strongroom.cli.options import CodecOptions, OutputOptions, Prefix
from strongroom.cli.progress import progress


def export(
    output: OutputOptions,
    session: Annotated[
        str | None, typer.Argument(metavar="SESSION", help="Only this session.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write a new file, mode 600."),
    ] = None,
    skip: Annotated[
        bool, typer.Option("--skip", help="Leave out rows that do not open, and log their ids.")
    ] = False,
    prefix: Prefix = None,
    *,
    where: CodecOptions,
) -> None:
    r"""Write items as JSON Lines: one object a line, with session_id, created_at and item.

    The lines are NOT encrypted. A file is complete or not there: it gets its name at the end.

    \b
    Examples:
      strongroom export --codec orjson+aesgcm --key-file keys -o all.jsonl
      strongroom export user-123 | jq .item
    """
    if session is not None and prefix is not None:
        raise CommandError("Name a SESSION or a --prefix, not both.", USAGE)
    if file is None:
        run_async(_export, where, session, prefix, skip, sys.stdout)
        sys.stdout.flush()
        return
    with new_file(file) as stream:
        count = run_async(_export, where, session, prefix, skip, stream)
    note(f"Wrote {format_count(count, 'items')} to {file}. They are not encrypted there.")


async def _export(
    where: CodecOptions, session: str | None, prefix: str | None, skip: bool, stream: TextIO
) -> int:
    from strongroom.maintenance.progress import Meter
    from strongroom.store.store import core_of

    count = 0
    async with open_store(where, on_error="skip" if skip else "raise") as store:
        apart = is_file(stream)
        with progress("items", apart=apart) as draw:
            meter = await Meter.of_rows(
                draw, "export", core_of(store), prefix, session_id=session, counts=apart
            )
            async for line in store.export_items(session, prefix=prefix):
                stream.write(line.replace("\x7f", "\\u007f") + "\n")
                count += 1
                meter.add(1)
            meter.finish()
    return count
