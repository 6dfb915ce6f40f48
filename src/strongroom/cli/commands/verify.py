"""``verify``: read every row."""

from __future__ import annotations

from typing import Any

import typer

from strongroom.cli.console import print_json, say
from strongroom.cli.exit_codes import PROBLEMS
from strongroom.cli.formatting import format_count
from strongroom.cli.open_store import open_store, run_async
from strongroom.cli.options import CodecOptions, Prefix, ReportOptions
from strongroom.cli.progress import progress
from strongroom.cli.reports import as_dict, print_failures


def verify(output: ReportOptions, prefix: Prefix = None, *, where: CodecOptions) -> None:
    r"""Read every row, and report each that does not open. Nothing is changed.

    The exit code is 1 if there is one. --json lists the first 1,000.

    \b
    Examples:
      strongroom verify --codec orjson+aesgcm --key-file keys
      strongroom verify --codec orjson+aesgcm --key-file keys --json
    """
    report = run_async(_verify, where, prefix)
    if output.json:
        print_json({"ok": report.ok} | as_dict(report))
    else:
        failed = format_count(report.failed, "rows")
        verdict = f"{failed} failed." if report.failed else "each opens."
        say(f"Read {format_count(report.rows, 'rows')}: {verdict}")
        print_failures(report)
    if not report.ok:
        raise typer.Exit(PROBLEMS)


async def _verify(where: CodecOptions, prefix: str | None) -> Any:
    from strongroom.maintenance import verify as verify_store

    async with open_store(where) as store:
        with progress() as draw:
            return await verify_store(store, prefix=prefix, progress=draw)
