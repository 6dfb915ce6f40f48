"""``sessions``: list sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from strongroom.cli.console import note, print_json, print_table
from strongroom.cli.formatting import format_count, format_time
from strongroom.cli.open_store import open_store, run_async
from strongroom.cli.options import Prefix, ReportOptions, TableOptions
from strongroom.cli.times import TimeOption, parse_time

if TYPE_CHECKING:
    pass


def sessions(
    output: ReportOptions,
    prefix: Prefix = None,
    updated_before: TimeOption = None,
    updated_after: TimeOption = None,
    after: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on behind this session.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000_000, help="At most so many.")] = 100,
    *,
    where: TableOptions,
) -> None:
    r"""List sessions, in the order of their ids. No key is needed.

    \b
    Examples:
      strongroom sessions
      strongroom sessions --prefix user- --updated-before 30d
      strongroom sessions --json | jq -r '.sessions[].session_id'
    """
    found = run_async(
        _list,
        where,
        prefix,
        parse_time(updated_before),
        parse_time(updated_after),
        after,
        limit + 1,
    )
    more = len(found) > limit
    found = found[:limit]
    last = found[-1].session_id if more else None
    if output.json:
        print_json({"sessions": [vars(session) for session in found], "next": last})
        return
    print_table(
        ("session", "items>", "updated (UTC)?", "created (UTC)?"),
        (
            (
                s.session_id,
                format_count(s.items),
                format_time(s.updated_at),
                format_time(s.created_at),
            )
            for s in found
        ),
    )
    if last is not None:
        note(f"There are more: --after {last!r}")


async def _list(where: TableOptions, *arguments: Any) -> Any:
    async with open_store(where) as store:
        return await store.list_sessions(*arguments)
