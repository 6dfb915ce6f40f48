"""``import``: read the lines of an export into a store."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from strongroom.cli.console import say
from strongroom.cli.formatting import format_count
from strongroom.cli.open_store import open_store, run_async
from strongroom.cli.options import CodecOptions, OutputOptions
from strongroom.cli.progress import progress


def import_(
    output: OutputOptions,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file; - for standard input.")],
    append: Annotated[
        bool, typer.Option("--append", help="Add all lines to what the sessions hold.")
    ] = False,
    create_tables: Annotated[
        bool, typer.Option("--create-tables", help="Make the tables if they are missing.")
    ] = False,
    *,
    where: CodecOptions,
) -> None:
    r"""Write the lines of an export into a store, encoded by --codec.

    Sessions that are there already must begin as their lines do, so an import that was interrupted
    is repeated as it is, and goes on. --append does without that: repeated, it adds twice.

    \b
    Examples:
      strongroom import all.jsonl --codec orjson+aesgcm --key-file keys
      strongroom import all.jsonl --url sqlite+aiosqlite:///b.db \
        --create-tables --codec json
      strongroom export user-123 | strongroom import - --codec json --append
    """
    count = run_async(_import, where, file, append, create_tables)
    say(f"Imported {format_count(count, 'items')}.")


async def _import(where: CodecOptions, file: Path, append: bool, create: bool) -> int:
    with _stream(file) as stream:
        async with open_store(where, writes=True, create=create) as store:
            with progress("bytes") as draw:
                return await store.import_items(_counted(stream, draw), append=append)


@contextlib.contextmanager
def _stream(file: Path) -> Iterator[TextIO]:
    if file == Path("-"):
        yield sys.stdin
        return
    with file.open(encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
        yield stream


def _counted(stream: TextIO, draw: Any) -> Iterator[str]:
    from strongroom.maintenance import Progress

    status = os.fstat(stream.fileno()) if stream is not sys.stdin else None
    total = status.st_size if status is not None else 0
    done = 0
    for count, line in enumerate(stream):
        yield line
        done += len(line)
        if count % 500 == 0:
            draw(Progress(done, total, "import"))
    draw(Progress(total or done, total, "import"))
