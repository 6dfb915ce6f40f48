"""``ledger adopt`` and ``ledger reset``."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

import typer

from strongroom.cli.connect import opened, runs
from strongroom.cli.console import ask, dump, say
from strongroom.cli.failures import PROBLEMS, USAGE, Failure
from strongroom.cli.options import Place, Prefix, Report, Sealed, Yes
from strongroom.cli.plain import number
from strongroom.cli.progress import progress
from strongroom.cli.rows import as_dict, print_failures


def adopt(output: Report, prefix: Prefix = None, yes: Yes = False, *, where: Sealed) -> None:
    r"""Turn the ledger on: link the rows of sessions that have none yet, as they stand.

    What was changed before, nobody will notice. Every writer has to have the ledger's keys before,
    or it breaks the history that it writes to. Interrupt it whenever you like; the same command
    goes on.

    \b
    Examples:
      strongroom ledger adopt --ledger-key-file ledger-keys
      strongroom ledger adopt --ledger-key-file ledger-keys --witness /mnt/witness --yes
    """
    ask("Trust all histories as they stand, from now on?", yes=yes)
    report = runs(_adopt, where, prefix)
    if output.json:
        dump({"ok": report.ok} | as_dict(report))
    else:
        say(
            f"{number(report.adopted, 'sessions')} with {number(report.rows, 'rows')} adopted; "
            f"{number(report.skipped, 'sessions')} had a ledger already."
        )
        print_failures(report)
    if not report.ok:
        raise typer.Exit(PROBLEMS)


async def _adopt(where: Sealed, prefix: str | None) -> Any:
    from strongroom.maintenance import adopt as adopt_store

    place = Place(**{field.name: getattr(where, field.name) for field in fields(Place)})
    async with opened(place) as bare:
        await bare.list_sessions(limit=1)  # or a wrong name would be made a new table
    async with opened(where) as store:
        _check(store)
        await store.create_tables()  # that of the heads
        with progress() as draw:
            return await adopt_store(store, prefix=prefix, progress=draw)


def reset(
    output: Report,
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The session's id.")],
    yes: Yes = False,
    *,
    where: Sealed,
) -> None:
    r"""Link all rows of a session as they stand, after somebody has looked at them.

    For a session that a writer without the ledger has touched. It says what it found; what the
    session holds is trusted from now on.

    \b
    Examples:
      strongroom ledger reset user-123 --ledger-key-file ledger-keys
    """
    ask(f"Trust the history of {session!r} as it stands, from now on?", yes=yes)
    report = runs(_reset, where, session)
    if output.json:
        dump(vars(report))
        return
    say(f"Before: {report.problem or 'the history was whole.'}")
    say(
        f"{number(report.rows, 'rows')} linked: {report.linked} had their link, {report.altered} "
        f"another one, {report.unlinked} none. The head is version {report.version}."
    )


async def _reset(where: Sealed, session: str) -> Any:
    from strongroom.maintenance import reset as reset_session

    async with opened(where) as store:
        _check(store)
        try:
            return await reset_session(store, session)
        except ValueError as error:
            raise Failure(str(error), PROBLEMS) from None


def _check(store: Any) -> None:
    if store.ledger is None:
        raise Failure(
            "Name the ledger's keys: --ledger-key-file, or STRONGROOM_LEDGER_KEYS.", USAGE
        )
