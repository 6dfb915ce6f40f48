"""``show``: show a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from strongroom.cli.conversation import ShownRow, print_rows, read_rows
from strongroom.cli.errors import CommandError
from strongroom.cli.exit_codes import PROBLEMS
from strongroom.cli.formatting import to_json
from strongroom.cli.open_store import open_store, run_async
from strongroom.cli.options import CodecOptions, ReportOptions


def show(
    output: ReportOptions,
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The session's id.")],
    last: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the last N items.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Fold nothing.")] = False,
    *,
    where: CodecOptions,
) -> None:
    r"""Show a conversation: who said what, the tools and their arguments, long texts folded.

    Rows that do not open are shown with the reason, and the exit code is 1.

    \b
    Examples:
      strongroom show user-123 --codec orjson+aesgcm --key-file keys
      strongroom show user-123 --last 20 --full | less
      strongroom show user-123 --json | jq '.rows[].item'
    """
    rows = run_async(_read, where, session, last)
    if output.json:
        _print_json(session, rows)
    else:
        print_rows(rows, full=full)
    if any(row.error for row in rows):
        raise typer.Exit(PROBLEMS)


async def _read(where: CodecOptions, session: str, last: int | None) -> Any:
    async with open_store(where) as store:
        rows = await read_rows(store, session, last)
        if not rows and not await _exists(store, session):
            raise CommandError(f"There is no session {session!r}.", PROBLEMS)
        return rows


async def _exists(store: Any, session: str) -> bool:
    found = await store.list_sessions(prefix=session, limit=1)
    return any(info.session_id == session for info in found)


def _print_json(session: str, rows: Sequence[ShownRow]) -> None:
    from strongroom.store.jsonlines import dump_item

    documents = []
    for row in rows:
        about = to_json({"row": row.row_id, "created_at": row.created_at, "error": row.error})
        item = "null" if row.error else dump_item(row.item)
        documents.append(f'{about[:-2]},\n  "item": {item}\n}}'.replace("\x7f", "\\u007f"))
    typer.echo(f'{{"session_id": {to_json(session)}, "rows": [\n' + ",\n".join(documents) + "\n]}")
