"""``recode``, ``copy`` and ``upgrade``: what changes a whole store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom.cli.connect import opened, runs, target_of
from strongroom.cli.console import dump, say, table
from strongroom.cli.failures import PROBLEMS, USAGE, Failure
from strongroom.cli.options import ColumnType, Output, Place, Prefix, Report, Sealed
from strongroom.cli.plain import number
from strongroom.cli.progress import progress, waiting
from strongroom.cli.rows import as_dict, print_failures


def recode(
    output: Report,
    prefix: Prefix = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be rewritten; change nothing.")
    ] = False,
    rows_per_second: Annotated[
        float | None, typer.Option(metavar="N", help="Rewrite at most so many rows a second.")
    ] = None,
    *,
    where: Sealed,
) -> None:
    r"""Rewrite every row that --codec, under the primary key, would write otherwise.

    In place, while the application runs: every worker has to be able to read what this writes, and
    to write it itself, or it never ends. Rows that do not open stay as they are, and are reported.
    Interrupt it whenever you like; the same command goes on.

    \b
    Examples:
      strongroom recode --codec orjson+aesgcm --accept plaintext --key-file keys --dry-run
      strongroom recode --codec orjson+aesgcm --accept plaintext --key-file keys
      strongroom recode --codec json --accept aesgcm --key-file keys      # decrypts
    """
    report = runs(_recode, where, prefix, dry_run, rows_per_second)
    if output.json:
        dump({"ok": report.ok} | as_dict(report))
    else:
        done = "would be rewritten" if dry_run else "rewritten"
        say(
            f"{number(report.recoded, 'rows')} {done}; {number(report.rows, 'rows')} seen in the "
            f"last of {number(report.passes, 'passes') if report.passes > 1 else '1 pass'}."
        )
        if report.failed:
            say(f"{number(report.failed, 'rows')} could not be, and stayed as they were.", "red")
        print_failures(report)
    if not report.ok:
        raise typer.Exit(PROBLEMS)


async def _recode(where: Sealed, prefix: str | None, dry_run: bool, rate: float | None) -> Any:
    from strongroom.maintenance import recode as recode_store

    async with opened(where, writes=True) as store:
        with progress() as draw:
            return await recode_store(
                store, prefix=prefix, dry_run=dry_run, rows_per_second=rate, progress=draw
            )


def copy(
    output: Report,
    to_url: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar="STRONGROOM_TO_URL", help="The target's database."),
    ] = None,
    to_codec: Annotated[
        str | None, typer.Option(metavar="SPEC", help="How the target's rows are written.")
    ] = None,
    to_key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The target's keys.")
    ] = None,
    to_namespace: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The target's namespace.")
    ] = None,
    to_column_type: Annotated[
        ColumnType | None, typer.Option(help="The target's column type.")
    ] = None,
    to_schema: Annotated[
        str | None, typer.Option(metavar="NAME", help="The target's schema.")
    ] = None,
    to_sessions_table: Annotated[
        str | None, typer.Option(metavar="NAME", help="The target's table of sessions.")
    ] = None,
    to_messages_table: Annotated[
        str | None, typer.Option(metavar="NAME", help="The target's table of rows.")
    ] = None,
    prefix: Prefix = None,
    *,
    where: Sealed,
) -> None:
    r"""Copy a store to another database, table, column type or codec, and compare the two.

    What --to-… does not say is as in the source. Missing tables are made. Sessions that the target
    has already must begin as the source's do, so the same command goes on where it was
    interrupted. Writers of the source may go on; the last run is for a source at rest.

    \b
    Examples:
      strongroom copy --to-url postgresql+asyncpg://app@db/agents --codec orjson+aesgcm
      strongroom copy --to-sessions-table s2 --to-messages-table m2 --to-column-type binary \
        --codec orjson+aesgcm --key-file keys
    """
    target = target_of(
        where,
        url=to_url,
        codec=to_codec,
        key_file=to_key_file,
        namespace=to_namespace,
        column_type=to_column_type,
        schema=to_schema,
        sessions_table=to_sessions_table,
        messages_table=to_messages_table,
    )
    place = ("url", "schema", "sessions_table", "messages_table")
    if all(getattr(where, name) == getattr(target, name) for name in place):
        raise Failure("The target is the source: say where to, such as --to-url.", USAGE)
    report = runs(_copy, where, target, prefix)
    if output.json:
        dump({"ok": report.ok} | as_dict(report))
    else:
        say(
            f"{number(report.copied, 'rows')} copied. Compared "
            f"{number(report.sessions, 'sessions')} with {number(report.rows, 'rows')}: "
            f"{'all' if report.ok else 'not all'} are the same."
        )
        if report.mismatches:
            table(
                ("session that differs", "rows here>", "rows there>"),
                (
                    (m.session_id, number(m.source_rows), number(m.target_rows))
                    for m in report.mismatches[:20]
                ),
            )
        print_failures(report)
    if not report.ok:
        raise typer.Exit(PROBLEMS)


async def _copy(where: Sealed, target: Sealed, prefix: str | None) -> Any:
    from strongroom.maintenance import copy as copy_store

    async with (
        opened(where, writes=True) as source,
        opened(target, writes=True, create=True) as store,
    ):
        with progress() as draw:
            return await copy_store(source, store, prefix=prefix, progress=draw)


def upgrade(output: Output, *, where: Place) -> None:
    r"""Add the index that tables of openai-agents lack. No key is needed.

    Reading the latest items of a long session is slow without it. On PostgreSQL and MySQL writers
    go on meanwhile; on SQLite they wait.

    \b
    Examples:
      strongroom upgrade
    """
    added = runs(_upgrade, where)
    say("Added the index on (session_id, id)." if added else "Nothing to do: the index is there.")


async def _upgrade(where: Place) -> bool:
    async with opened(where) as store:
        with waiting("building the index"):
            return await store.upgrade()
