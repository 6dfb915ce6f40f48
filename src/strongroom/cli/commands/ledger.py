"""``ledger adopt``, ``ledger reset`` and ``ledger witness``."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom.cli.console import confirm, note, print_json, say
from strongroom.cli.errors import CommandError
from strongroom.cli.exit_codes import PROBLEMS, USAGE
from strongroom.cli.formatting import format_count
from strongroom.cli.open_store import open_store, run_async
from strongroom.cli.options import (
    CodecOptions,
    OutputOptions,
    Prefix,
    ReportOptions,
    TableOptions,
    Yes,
)
from strongroom.cli.progress import progress
from strongroom.cli.reports import as_dict, print_failures


def adopt(
    output: ReportOptions, prefix: Prefix = None, yes: Yes = False, *, where: CodecOptions
) -> None:
    r"""Turn the ledger on: link the rows of sessions that have none yet, as they stand.

    Earlier changes go unnoticed. Every writer has to have the ledger's keys before,
    or it breaks the history that it writes to. Interrupt it whenever you like; the same command
    goes on.

    \b
    Examples:
      strongroom ledger adopt --ledger-key-file ledger-keys
      strongroom ledger adopt --ledger-key-file ledger-keys --witness /mnt/witness
    """
    confirm("Trust all histories as they stand, from now on?", yes=yes)
    report = run_async(_adopt, where, prefix)
    if output.json:
        print_json({"ok": report.ok} | as_dict(report))
    else:
        say(
            f"{format_count(report.adopted, 'sessions')} with "
            f"{format_count(report.rows, 'rows')} adopted; "
            f"{format_count(report.skipped, 'sessions')} had a ledger already."
        )
        print_failures(report)
    if not report.ok:
        raise typer.Exit(PROBLEMS)


async def _adopt(where: CodecOptions, prefix: str | None) -> Any:
    from strongroom.maintenance import adopt as adopt_store

    place = TableOptions(
        **{field.name: getattr(where, field.name) for field in fields(TableOptions)}
    )
    async with open_store(place) as bare:
        await bare.list_sessions(limit=1)  # or a wrong name would be made a new table
    async with open_store(where) as store:
        _check(store)
        await store.create_tables()  # that of the heads
        with progress() as draw:
            return await adopt_store(store, prefix=prefix, progress=draw)


def reset(
    output: ReportOptions,
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The session's id.")],
    yes: Yes = False,
    *,
    where: CodecOptions,
) -> None:
    r"""Link all rows of a session as they stand, after somebody has looked at them.

    For a session that a writer without the ledger has touched. It says what it found; what the
    session holds is trusted from now on.

    \b
    Examples:
      strongroom ledger reset user-123 --ledger-key-file ledger-keys
    """
    confirm(f"Trust the history of {session!r} as it stands, from now on?", yes=yes)
    report = run_async(_reset, where, session)
    if output.json:
        print_json(vars(report))
        return
    say(f"Before: {report.problem or 'the history was whole.'}")
    say(
        f"{format_count(report.rows, 'rows')} linked: {report.linked} had their link, "
        f"{report.altered} another one, {report.unlinked} none. "
        f"The head is version {report.version}."
    )


async def _reset(where: CodecOptions, session: str) -> Any:
    from strongroom.maintenance import reset as reset_session

    async with open_store(where) as store:
        _check(store)
        try:
            return await reset_session(store, session)
        except ValueError as error:
            raise CommandError(str(error), PROBLEMS) from None


def witness(
    output: OutputOptions,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder to make.")],
) -> None:
    r"""Make a witness: a folder that remembers the newest state of each session.

    Once, where a new store begins. The folder belongs on a disk that nobody who writes the database
    can write. A folder of version 0.1 is taken over, with what it remembers. It prints the id of
    the witness; with --witness-id every command refuses any other folder.

    \b
    Examples:
      strongroom ledger witness /mnt/witness
    """
    from strongroom import FileWitness

    made = FileWitness(folder, create=True)
    note(f"Made a witness in {folder}. Pass it to every command: --witness {folder}")
    say(made.id)


def _check(store: Any) -> None:
    if store.ledger is None:
        raise CommandError(
            "Name the ledger's keys: --ledger-key-file, or STRONGROOM_LEDGER_KEYS.", USAGE
        )
