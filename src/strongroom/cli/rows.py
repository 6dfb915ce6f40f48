"""``inspect``, ``stats`` and ``verify``: what lies in the tables."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from strongroom.cli.connect import opened, runs
from strongroom.cli.console import dump, note, say, table
from strongroom.cli.failures import PROBLEMS, USAGE, Failure
from strongroom.cli.options import Place, Prefix, Report, Sealed
from strongroom.cli.plain import moment, number, size
from strongroom.cli.progress import progress, waiting

_SHOWN_FAILURES = 20


def inspect(
    output: Report,
    session: Annotated[
        str | None, typer.Argument(metavar="[SESSION]", help="The session's id.")
    ] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read stored values instead, one a line.")
    ] = False,
    *,
    where: Place,
) -> None:
    r"""Say of each row how it was written: codec, key id, size. No key is needed.

    \b
    Examples:
      strongroom inspect user-123
      sqlite3 memory.db 'SELECT message_data FROM agent_messages' | strongroom inspect --stdin
    """
    if (session is None) != stdin:
        raise Failure("Name a SESSION, or pass --stdin.", USAGE)
    if session is None:
        found = [_described(line.rstrip("\n")) for line in sys.stdin]
    else:
        found = runs(_inspect, where, session)
    if output.json:
        dump({"rows": found})
        return
    table(
        ("row>", "codec or format", "key id", "size>?", "created (UTC)?"),
        (
            (
                str(row.get("row") or number_),
                row["spec"],
                row["key_id"] or "",
                size(row["bytes"]),
                moment(row.get("created_at")),
            )
            for number_, row in enumerate(found, 1)
        ),
    )


async def _inspect(where: Place, session: str) -> list[dict[str, Any]]:
    from strongroom.store.walk import walk

    async with opened(where) as store:
        store.check_session_id(session)
        rows = [row async for batch in walk(store, session_id=session) for row in batch.rows]
    if not rows:
        raise Failure(f"There is no session {session!r}, or it has no rows.", PROBLEMS)
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


def stats(output: Report, *, where: Place) -> None:
    r"""Count sessions, rows and bytes, and rows by codec and by key id. No key is needed.

    It tells when a migration is done: when only the codec and the key that you want are left.

    \b
    Examples:
      strongroom stats
      strongroom stats --json | jq .key_ids
    """
    found = runs(_stats, where)
    if output.json:
        dump(vars(found))
        return
    say(
        f"{number(found.sessions, 'sessions')}, {number(found.rows, 'rows')}, "
        f"{size(found.bytes)} of values"
    )
    for heading, counts in (("codec or format", found.formats), ("key id", found.key_ids)):
        if counts:
            say("")
            table(
                (heading, "rows>", "share>?"),
                (
                    (name, number(count), f"{100 * count / found.rows:.1f}%")
                    for name, count in counts.items()
                ),
            )


async def _stats(where: Place) -> Any:
    async with opened(where) as store:
        with waiting("counting"):
            return await store.stats()


def verify(output: Report, prefix: Prefix = None, *, where: Sealed) -> None:
    r"""Read every row, and report each that does not open. Nothing is changed.

    The exit code is 1 if there is one. --json lists the first 1,000.

    \b
    Examples:
      strongroom verify --codec orjson+aesgcm --key-file keys
      strongroom verify --codec orjson+aesgcm --accept plaintext --prefix user- --json
    """
    report = runs(_verify, where, prefix)
    if output.json:
        dump({"ok": report.ok} | as_dict(report))
    else:
        say(f"Read {number(report.rows, 'rows')}: {outcome(report.failed)}")
        print_failures(report)
    if not report.ok:
        raise typer.Exit(PROBLEMS)


async def _verify(where: Sealed, prefix: str | None) -> Any:
    from strongroom.maintenance import verify as verify_store

    async with opened(where) as store:
        with progress() as draw:
            return await verify_store(store, prefix=prefix, progress=draw)


def as_dict(report: Any) -> dict[str, Any]:
    """Return a report's fields, and those of what it lists."""
    return {
        name: [vars(entry) for entry in value] if isinstance(value, tuple) else value
        for name, value in vars(report).items()
    }


def outcome(failed: int) -> str:
    """Say how many rows failed."""
    return "each opens." if not failed else f"{number(failed, 'rows')} failed."


def print_failures(report: Any) -> None:
    """Print the first failures of a report."""
    if not report.failed:
        return
    shown = report.failures[:_SHOWN_FAILURES]
    reasons: dict[tuple[str, str], list[Any]] = {}
    for failure in shown:
        reasons.setdefault((failure.error, failure.message), []).append(failure)
    for (error, message), failures in reasons.items():
        say("")
        say(f"{error}: {message}", "red")
        table(("session", "row>"), ((f.session_id, str(f.row_id or "")) for f in failures))
    if report.failed > len(shown):
        note(f"… and {number(report.failed - len(shown), 'more rows')}; --json lists 1,000.")
