"""``copy``: copy a store to another place, and compare the two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import typer

from strongroom.cli.console import print_json, print_table, say
from strongroom.cli.errors import CommandError
from strongroom.cli.exit_codes import PROBLEMS, USAGE
from strongroom.cli.formatting import format_count
from strongroom.cli.open_store import open_store, run_async
from strongroom.cli.options import CodecOptions, Prefix, ReportOptions, TargetOptions
from strongroom.cli.progress import progress
from strongroom.cli.reports import as_dict, print_failures


def copy(
    to: TargetOptions,
    output: ReportOptions,
    prefix: Prefix = None,
    *,
    where: CodecOptions,
) -> None:
    r"""Copy a store to another database, table, column type or codec, and compare the two.

    The target is like the source in everything that no --to-… option names. Missing tables are
    made. Sessions that the target has already must begin as the source's do, so the same command
    goes on where it was interrupted. Writers of the source may go on; the last run is for a source
    at rest.

    \b
    Examples:
      strongroom copy --codec orjson+aesgcm --key-file keys \
        --to-url postgresql+asyncpg://app@db/agents
      strongroom copy --codec orjson+aesgcm --key-file keys \
        --to-sessions-table s2 --to-messages-table m2 --to-column-type binary
    """
    target = _target_of(where, to)
    place = ("url", "schema", "sessions_table", "messages_table")
    if all(getattr(where, name) == getattr(target, name) for name in place):
        raise CommandError("The target is the source: say where to, such as --to-url.", USAGE)
    report = run_async(_copy, where, target, prefix)
    if output.json:
        print_json({"ok": report.ok} | as_dict(report))
    else:
        _print(report)
    if not report.ok:
        raise typer.Exit(PROBLEMS)


def _target_of(source: CodecOptions, to: TargetOptions) -> CodecOptions:
    """Return the options of the target: those of the source, but for what was given."""
    given = {
        name.removeprefix("to_"): value for name, value in vars(to).items() if value is not None
    }
    bare = replace(
        source, accept=None, ttl=None, ledger_key_file=None, witness=None, witness_id=None
    )
    return replace(bare, **given)


def _print(report: Any) -> None:
    copied, rows = format_count(report.copied, "rows"), format_count(report.rows, "rows")
    say(
        f"{copied} copied. Compared {format_count(report.sessions, 'sessions')} with {rows}: "
        f"{'all' if report.ok else 'not all'} are the same."
    )
    if report.mismatches:
        print_table(
            ("session that differs", "rows here>", "rows there>"),
            (
                (m.session_id, format_count(m.source_rows), format_count(m.target_rows))
                for m in report.mismatches[:20]
            ),
        )
    print_failures(report)


async def _copy(where: CodecOptions, target: CodecOptions, prefix: str | None) -> Any:
    from strongroom.maintenance import copy as copy_store

    async with (
        open_store(where, writes=True) as source,
        open_store(target, writes=True, create=True) as store,
    ):
        with progress() as draw:
            return await copy_store(source, store, prefix=prefix, progress=draw)
