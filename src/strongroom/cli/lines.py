"""``export`` and ``import``: JSON Lines."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from strongroom.cli.connect import opened, runs
from strongroom.cli.console import is_file, note, say
from strongroom.cli.failures import PROBLEMS, USAGE, Failure
from strongroom.cli.options import Output, Prefix, Sealed
from strongroom.cli.plain import number
from strongroom.cli.progress import progress


def export(
    output: Output,
    session: Annotated[
        str | None, typer.Argument(metavar="[SESSION]", help="Only this session.")
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
    where: Sealed,
) -> None:
    r"""Write items as JSON Lines: one object a line, with session_id, created_at and item.

    The lines are NOT encrypted. A file is complete or not there: it gets its name at the end.

    \b
    Examples:
      strongroom export --codec orjson+aesgcm --key-file keys -o all.jsonl
      strongroom export user-123 | jq .item
    """
    if session is not None and prefix is not None:
        raise Failure("Name a SESSION or a --prefix, not both.", USAGE)
    if file is not None and file.exists():
        raise Failure(f"{file} exists already, and was not changed.", PROBLEMS)
    if file is None:
        runs(_export, where, session, prefix, skip, sys.stdout)
        sys.stdout.flush()
        return
    with _new_file(file) as stream:
        count = runs(_export, where, session, prefix, skip, stream)
    note(f"Wrote {number(count, 'items')} to {file}. They are not encrypted there.")


async def _export(
    where: Sealed, session: str | None, prefix: str | None, skip: bool, stream: TextIO
) -> int:
    from strongroom.maintenance.progress import Meter

    count = 0
    async with opened(where) as store:
        store.on_error = "skip" if skip else "raise"
        apart = is_file(stream)
        with progress("items", apart=apart) as draw:
            meter = await Meter.of_rows(
                draw, "export", store, prefix, session_id=session, counts=apart
            )
            async for line in store.export_items(session, prefix=prefix):
                stream.write(line.replace("\x7f", "\\u007f") + "\n")
                count += 1
                meter.add(1)
            meter.finish()
    return count


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[TextIO]:
    """Write a file that only its owner can read, under another name until it is complete."""
    scratch = path.with_name(f"{path.name}.part")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), 0o600)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def import_(
    output: Output,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file; - for standard input.")],
    append: Annotated[
        bool, typer.Option("--append", help="Add all lines to what the sessions hold.")
    ] = False,
    create_tables: Annotated[
        bool, typer.Option("--create-tables", help="Make the tables if they are missing.")
    ] = False,
    *,
    where: Sealed,
) -> None:
    r"""Write the lines of an export into a store, encoded by --codec.

    Sessions that are there already must begin as their lines do, so an import that was interrupted
    is repeated as it is, and goes on. --append does without that: repeated, it adds twice.

    \b
    Examples:
      strongroom import all.jsonl --codec orjson+aesgcm --key-file keys --create-tables
      strongroom export user-123 | strongroom import - --codec json --url sqlite+aiosqlite:///b.db
    """
    count = runs(_import, where, file, append, create_tables)
    say(f"Imported {number(count, 'items')}.")


async def _import(where: Sealed, file: str, append: bool, create: bool) -> int:
    with _stream(file) as stream:
        async with opened(where, writes=True, create=create) as store:
            with progress("bytes") as draw:
                return await store.import_items(_counted(stream, draw), append=append)


@contextlib.contextmanager
def _stream(file: str) -> Iterator[TextIO]:
    if file == "-":
        yield sys.stdin
        return
    with Path(file).open(encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
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
