"""``recode``: rewrite rows in place."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from strongroom.cli.console import print_json, say
from strongroom.cli.exit_codes import PROBLEMS
from strongroom.cli.formatting import format_count
from strongroom.cli.open_store import open_store, run_async
from strongroom.cli.options import CodecOptions, Prefix, ReportOptions
from strongroom.cli.progress import progress
from strongroom.cli.reports import as_dict, print_failures


def recode(
    output: ReportOptions,
    prefix: Prefix = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be rewritten; change nothing.")
    ] = False,
    rows_per_second: Annotated[
        float | None, typer.Option(metavar="N", help="Rewrite at most so many rows a second.")
    ] = None,
    *,
    where: CodecOptions,
) -> None:
    r"""Rewrite every row that --codec, under the primary key, would write otherwise.

    In place, while the application runs: every worker has to be able to read what this writes, and
    to write it itself, or it never ends. Rows that do not open stay as they are, and are reported.
    Interrupt it whenever you like; the same command goes on.

    \b
    Examples:
      strongroom recode --dry-run --codec orjson+aesgcm --accept plaintext \
        --key-file keys
      strongroom recode --codec orjson+aesgcm --accept plaintext --key-file keys
      strongroom recode --codec json --accept aesgcm --key-file keys  # decrypts
    """
    report = run_async(_recode, where, prefix, dry_run, rows_per_second)
    if output.json:
        print_json({"ok": report.ok} | as_dict(report))
    else:
        done = "would be rewritten" if dry_run else "rewritten"
        passes = f" in the last of {report.passes} passes" if report.passes > 1 else ""
        say(
            f"{format_count(report.recoded, 'rows')} {done}; "
            f"{format_count(report.rows, 'rows')} seen{passes}."
        )
        if report.failed:
            say(
                f"{format_count(report.failed, 'rows')} could not be, and stayed as they were.",
                "red",
            )
        print_failures(report)
    if not report.ok:
        raise typer.Exit(PROBLEMS)


async def _recode(
    where: CodecOptions, prefix: str | None, dry_run: bool, rate: float | None
) -> Any:
    from strongroom.maintenance import recode as recode_store

    async with open_store(where, writes=True) as store:
        with progress() as draw:
            return await recode_store(
                store, prefix=prefix, dry_run=dry_run, rows_per_second=rate, progress=draw
            )
