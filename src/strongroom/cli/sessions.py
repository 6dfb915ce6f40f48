"""``sessions``, ``show`` and ``delete``."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from strongroom.cli.connect import opened, runs
from strongroom.cli.console import ask, dump, note, say, table
from strongroom.cli.conversation import print_rows, rows_of
from strongroom.cli.failures import PROBLEMS, USAGE, Failure
from strongroom.cli.options import Ledgered, Output, Place, Prefix, Report, Sealed, Yes
from strongroom.cli.plain import moment, number, to_json
from strongroom.cli.progress import waiting

if TYPE_CHECKING:
    from strongroom import SessionStore

_AGE = re.compile(r"(\d+)([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Time = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="A time (2026-01-31, or with T12:00+01:00; UTC unless it "
        "says) or an age (90m, 12h, 30d, 2w).",
    ),
]


def sessions(
    output: Report,
    prefix: Prefix = None,
    updated_before: Time = None,
    updated_after: Time = None,
    after: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on behind this session.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    *,
    where: Place,
) -> None:
    r"""List sessions, in the order of their ids. No key is needed.

    \b
    Examples:
      strongroom sessions
      strongroom sessions --prefix user- --updated-before 30d
      strongroom sessions --json | jq -r '.sessions[].session_id'
    """
    found = runs(
        _list, where, prefix, _time(updated_before), _time(updated_after), after, limit + 1
    )
    more = len(found) > limit
    found = found[:limit]
    last = found[-1].session_id if more else None
    if output.json:
        dump({"sessions": [vars(session) for session in found], "next": last})
        return
    table(
        ("session", "items>", "updated (UTC)?", "created (UTC)?"),
        (
            (s.session_id, number(s.items), moment(s.updated_at), moment(s.created_at))
            for s in found
        ),
    )
    if last is not None:
        note(f"There are more: --after {last!r}")


async def _list(where: Place, *arguments: Any) -> Any:
    async with opened(where) as store:
        return await store.list_sessions(*arguments)


def show(
    output: Report,
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The session's id.")],
    last: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the last N items.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Fold nothing.")] = False,
    *,
    where: Sealed,
) -> None:
    r"""Show a conversation: who said what, the tools and their arguments, long texts folded.

    Rows that do not open are shown with the reason, and the exit code is 1.

    \b
    Examples:
      strongroom show user-123 --codec orjson+aesgcm --key-file keys
      strongroom show user-123 --last 20 --full | less
      strongroom show user-123 --json | jq '.rows[].item'
    """
    rows = runs(_read, where, session, last)
    if output.json:
        from strongroom.store.jsonlines import dump_item

        documents = []
        for row in rows:
            about = to_json({"row": row.row_id, "created_at": row.created_at, "error": row.error})
            item = "null" if row.error else dump_item(row.item)
            documents.append(f'{about[:-2]},\n  "item": {item}\n}}'.replace("\x7f", "\\u007f"))
        typer.echo(
            f'{{"session_id": {to_json(session)}, "rows": [\n' + ",\n".join(documents) + "\n]}"
        )
    else:
        print_rows(rows, full=full)
    if any(row.error for row in rows):
        raise typer.Exit(PROBLEMS)


async def _read(where: Sealed, session: str, last: int | None) -> Any:
    async with opened(where) as store:
        rows = await rows_of(store, session, last)
        if not rows and not await _exists(store, session):
            raise Failure(f"There is no session {session!r}.", PROBLEMS)
        return rows


async def _exists(store: Any, session: str) -> bool:
    found = await store.list_sessions(prefix=session, limit=1)
    return any(info.session_id == session for info in found)


def delete(
    output: Output,
    session: Annotated[
        list[str] | None, typer.Argument(metavar="[SESSION]...", help="The sessions' ids.")
    ] = None,
    updated_before: Time = None,
    prefix: Prefix = None,
    yes: Yes = False,
    *,
    where: Ledgered,
) -> None:
    r"""Delete sessions with all their items: those named, or those not used for some time.

    It asks first. What is deleted is gone; the database may keep its bytes for a while (see
    docs/operations.md). No key is needed but a ledger's, which records that the session is empty.

    \b
    Examples:
      strongroom delete user-123
      strongroom delete --updated-before 90d
      strongroom delete --updated-before 2026-01-01 --prefix trial- --yes
    """
    before = _time(updated_before)
    if bool(session) == bool(before) or (session and prefix):
        raise Failure(
            "Name sessions, or give --updated-before (with --prefix, if you like).", USAGE
        )
    if session:
        ask(f"Delete {', '.join(map(repr, session))}?", yes=yes)
        missing = runs(_delete, where, session)
        deleted = len(session) - len(missing)
    else:
        those = f"the sessions that begin with {prefix!r}" if prefix else "all sessions"
        ask(f"Delete {those} that were last updated before {moment(before)} UTC?", yes=yes)
        missing, deleted = [], runs(_delete_old, where, before, prefix)
    say(f"Deleted {number(deleted, 'sessions')}.")
    if missing:
        raise Failure(f"There is no session {', '.join(map(repr, missing))}.", PROBLEMS)


@asynccontextmanager
async def _opened(where: Ledgered) -> AsyncIterator[SessionStore]:
    """Open a store to delete in it; without its ledger that would break its histories."""
    from strongroom.sql.inspection import has_heads

    async with opened(where) as store:
        if store.ledger is None and await store.backend.read(has_heads):
            raise Failure("This store has a ledger: give its keys with --ledger-key-file.")
        yield store


async def _delete(where: Ledgered, names: list[str]) -> list[str]:
    async with _opened(where) as store:
        return [name for name in names if not await store.delete_session(name)]


async def _delete_old(where: Ledgered, before: dt.datetime, prefix: str | None) -> int:
    async with _opened(where) as store:
        with waiting("deleting"):
            return await store.delete_sessions(updated_before=before, prefix=prefix)


def _time(text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    age = _AGE.fullmatch(text)
    try:
        if age:
            return dt.datetime.now(dt.UTC) - dt.timedelta(**{_UNITS[age[2]]: int(age[1])})
        time = dt.datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise Failure(
            f"{text!r} is no time: 2026-01-31, 2026-01-31T12:00Z or 30d.", USAGE
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)
