"""``inspect``: say how each row of a session was written."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from strongroom.cli.console import print_json, print_table
from strongroom.cli.errors import CommandError
from strongroom.cli.exit_codes import PROBLEMS, USAGE
from strongroom.cli.formatting import format_size, format_time
from strongroom.cli.open_store import open_store, run_async
from strongroom.cli.options import ReportOptions, TableOptions


def inspect(
    output: ReportOptions,
    session: Annotated[
        str | None, typer.Argument(metavar="SESSION", help="The session's id.")
    ] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read stored values instead, one a line.")
    ] = False,
    *,
    where: TableOptions,
) -> None:
    r"""Say of each row how it was written: codec, key id, size. No key is needed.

    \b
    Examples:
      strongroom inspect user-123
      sqlite3 memory.db 'SELECT message_data FROM agent_messages' |
        strongroom inspect --stdin
    """
    if (session is None) != stdin:
        raise CommandError("Name a SESSION, or pass --stdin.", USAGE)
    if session is None:
        found = [_described(line.rstrip("\n")) for line in sys.stdin]
    else:
        found = run_async(_inspect, where, session)
    if output.json:
        print_json({"rows": found})
        return
    print_table(
        ("row>", "codec or format", "key id", "size>?", "created (UTC)?"),
        (
            (
                str(row.get("row") or place),
                row["spec"],
                row["key_id"] or "",
                format_size(row["bytes"]),
                format_time(row.get("created_at")),
            )
            for place, row in enumerate(found, 1)
        ),
    )


async def _inspect(where: TableOptions, session: str) -> list[dict[str, Any]]:
    from strongroom.store.store import core_of
    from strongroom.store.walk import walk

    async with open_store(where) as store:
        core = core_of(store)
        core.check_session_id(session)
        rows = [row async for batch in walk(core, session_id=session) for row in batch.rows]
    if not rows:
        raise CommandError(f"There is no session {session!r}, or it has no rows.", PROBLEMS)
    return [
        {"row": row.row_id, "created_at": row.created_at} | _described(row.value) for row in rows
    ]


def _described(stored: str | bytes) -> dict[str, Any]:
    from strongroom import EnvelopeError, describe
    from strongroom.format.envelope import is_linked

    length = len(stored.encode("utf-8", "surrogatepass") if isinstance(stored, str) else stored)
    about = {"bytes": length, "linked": is_linked(stored)}
    try:
        info = describe(stored)
    except EnvelopeError as error:
        return {"spec": "damaged", "key_id": None, "problem": error.message} | about
    return {"spec": info.spec} | vars(info) | about
