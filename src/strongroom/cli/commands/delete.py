"""``delete``: delete sessions."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from strongroom.cli.console import confirm, note, say
from strongroom.cli.errors import CommandError, explain, trace
from strongroom.cli.exit_codes import AGAIN, CONFIGURATION, PROBLEMS, USAGE
from strongroom.cli.formatting import format_count, format_time
from strongroom.cli.open_store import open_store, run_async
from strongroom.cli.options import LedgerOptions, OutputOptions, Prefix, Yes
from strongroom.cli.progress import waiting
from strongroom.cli.times import TimeOption, parse_time

if TYPE_CHECKING:
    from strongroom import SessionStore

_Refused: TypeAlias = tuple[str, Exception]
"""The id of a session that could not be deleted, and why."""


def delete(
    output: OutputOptions,
    session: Annotated[
        list[str] | None, typer.Argument(metavar="SESSION", help="The sessions' ids.")
    ] = None,
    updated_before: TimeOption = None,
    prefix: Prefix = None,
    yes: Yes = False,
    *,
    where: LedgerOptions,
) -> None:
    r"""Delete sessions with all their items: those named, or those not used for some time.

    It asks first. Deleted items are gone; the database may keep their bytes for a while (see
    docs/operations.md). No key is needed but a ledger's, which records that the session is empty.

    \b
    Examples:
      strongroom delete user-123
      strongroom delete --updated-before 90d
      strongroom delete --updated-before 2026-01-01 --prefix trial- --yes
    """
    before = parse_time(updated_before)
    if bool(session) == bool(before) or (session and prefix):
        raise CommandError(
            "Name sessions, or give --updated-before (with --prefix, if you like).", USAGE
        )
    if prefix == "":
        raise CommandError("--prefix is empty: leave it out to delete all old sessions.", USAGE)
    if session:
        _delete_named(where, session, yes=yes, debug=output.debug)
        return
    those = f"the sessions that begin with {prefix!r}" if prefix else "all sessions"
    confirm(f"Delete {those} that were last updated before {format_time(before)} UTC?", yes=yes)
    deleted = run_async(_delete_old, where, before, prefix)
    say(f"Deleted {format_count(deleted, 'sessions')}.")


def _delete_named(where: LedgerOptions, names: list[str], *, yes: bool, debug: bool) -> None:
    confirm(f"Delete {', '.join(map(repr, names))}?", yes=yes)
    missing, refused = run_async(_delete, where, names)
    say(f"Deleted {format_count(len(names) - len(missing) - len(refused), 'sessions')}.")
    if missing:
        note(f"There is no session {', '.join(map(repr, missing))}.", "red")
    codes = [PROBLEMS] if missing else []
    for name, error in refused:
        if debug:
            note(trace(error))
        reason, code = explain(error)
        note(f"{name!r} was not deleted: {reason}", "red")
        codes.append(code)
    if codes:
        raise typer.Exit(max(codes))


@asynccontextmanager
async def _opened(where: LedgerOptions) -> AsyncIterator[SessionStore]:
    """Open a store to delete in it; without its ledger that would break its histories."""
    from strongroom.store.store import core_of

    async with open_store(where) as store:
        if store.ledger is None and await core_of(store).runner.has_heads():
            raise CommandError("This store has a ledger: give its keys with --ledger-key-file.")
        yield store


async def _delete(where: LedgerOptions, names: list[str]) -> tuple[list[str], list[_Refused]]:
    """Delete sessions; returns those that are missing, and those that could not be deleted."""
    missing: list[str] = []
    refused: list[_Refused] = []
    async with _opened(where) as store:
        for name in names:
            try:
                if not await store.delete_session(name):
                    missing.append(name)
            except Exception as error:
                if explain(error)[1] in {CONFIGURATION, AGAIN}:
                    raise  # it is not about this session
                refused.append((name, error))
    return missing, refused


async def _delete_old(where: LedgerOptions, before: dt.datetime, prefix: str | None) -> int:
    async with _opened(where) as store:
        with waiting("deleting"):
            return await store.delete_sessions(updated_before=before, prefix=prefix)
