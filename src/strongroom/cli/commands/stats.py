"""``stats``: count rows by codec and by key."""

from __future__ import annotations

from typing import Any

from strongroom.cli.console import print_json, print_table, say
from strongroom.cli.formatting import format_count, format_size
from strongroom.cli.open_store import open_store, run_async
from strongroom.cli.options import ReportOptions, TableOptions
from strongroom.cli.progress import waiting


def stats(output: ReportOptions, *, where: TableOptions) -> None:
    r"""Count sessions, rows and bytes, and rows by codec and by key id. No key is needed.

    It tells when a migration is done: when only the codec and the key that you want are left.

    \b
    Examples:
      strongroom stats
      strongroom stats --json | jq .key_ids
    """
    found = run_async(_stats, where)
    if output.json:
        print_json(vars(found))
        return
    say(
        f"{format_count(found.sessions, 'sessions')}, {format_count(found.rows, 'rows')}, "
        f"{format_size(found.bytes)} of values"
    )
    for heading, counts in (("codec or format", found.formats), ("key id", found.key_ids)):
        if counts:
            say("")
            print_table(
                (heading, "rows>", "share>?"),
                (
                    (name, format_count(count), f"{100 * count / found.rows:.1f}%")
                    for name, count in counts.items()
                ),
            )


async def _stats(where: TableOptions) -> Any:
    async with open_store(where) as store:
        with waiting("counting"):
            return await store.stats()
