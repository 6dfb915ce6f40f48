"""Operations on a history with bad rows, and how each of them has to end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fuzzing import tables
from fuzzing.findings import STOPPED, WRONG, Finding
from fuzzing.sealing import CONTEXT, NAMESPACE
from fuzzing.session_trial import Trial, is_error
from fuzzing.tables import OTHER, HookedSession
from strongroom import EncodeError, maintenance


async def get_items(trial: Trial) -> None:
    """Read the whole history."""
    found = await trial.attempt("get_items", trial.session.get_items())
    trial.compare("get_items", found, trial.readable(trial.outcomes))


async def limited(trial: Trial) -> None:
    """Read the latest rows."""
    for limit in (1, 2, len(trial.outcomes)):
        found = await trial.attempt("get_items(limit)", trial.session.get_items(limit))
        rows = trial.readable(trial.outcomes[-limit:])
        if trial.store.on_error == "raise":
            trial.compare("get_items(limit)", found, rows)


async def hooked(trial: Trial) -> None:
    """Read the whole history row by row, through a hook."""
    store = trial.store
    session = HookedSession(
        CONTEXT,
        engine=store.engine,
        codec=store.codec,
        namespace=NAMESPACE,
        column_type=trial.case["column"],
        on_error=store.on_error,
    )
    found = await trial.attempt("a hooked get_items", session.get_items())
    trial.compare("a hooked get_items", found, trial.readable(trial.outcomes))


async def iter_items(trial: Trial) -> None:
    """Stream the history in batches; what comes before an error has to be right."""
    for size in (1, 2, 256):
        found: list[Any] = []
        ended = await trial.attempt("iter_items", _collect(trial.session.iter_items(size), found))
        expected = trial.readable(trial.outcomes)
        if not is_error(expected):
            trial.compare("iter_items", ended or found, expected)
            continue
        trial.compare("iter_items", ended, expected)
        before = trial.readable(trial.outcomes[: trial.outcomes.index(expected)])
        trial.compare("iter_items", found, before[: len(found)])


async def _collect(items: Any, found: list[Any]) -> None:
    async for item in items:
        found.append(item)


async def pop(trial: Trial) -> None:
    """Pop until there is nothing left, or an error; nothing unread may be deleted."""
    expected = list(trial.outcomes)
    for _ in range(len(trial.outcomes) + 1):
        held = await tables.count(trial.store, CONTEXT)
        found = await trial.attempt("pop_item", trial.session.pop_item())
        while expected and is_error(expected[-1]) and trial.leaves_out(expected[-1]):
            expected.pop()
        if not expected:
            trial.compare("pop_item", found, None)
            break
        trial.compare("pop_item", found, expected[-1])
        if isinstance(found, Exception):
            if await tables.count(trial.store, CONTEXT) != held:
                raise Finding(WRONG, "a pop that failed has deleted a row", ["pop deletes"])
            break
        expected.pop()
    await trial.reset()


async def fork(trial: Trial) -> None:
    """Copy the history into another session: all of it, or an error and nothing."""
    found = await trial.attempt("fork", trial.store.fork(CONTEXT, "forked"))
    errors = [outcome for outcome in trial.outcomes if is_error(outcome)]
    refused = isinstance(found, EncodeError)  # an item that this codec reads and cannot write
    copied = await tables.count(trial.store, "forked")
    if not refused:
        trial.compare("fork", found, errors[0] if errors else len(trial.outcomes))
    if copied != (0 if isinstance(found, Exception) else found):
        raise Finding(WRONG, f"a fork left {copied} rows", ["fork"])
    await trial.reset()


async def export(trial: Trial) -> None:
    """Export the session; what comes before an error has to be right."""
    found: list[Any] = []
    ended = await trial.attempt("export_items", _collect(trial.store.export_items(CONTEXT), found))
    expected = trial.readable(trial.outcomes)
    trial.compare(
        "export_items", ended or len(found), expected if is_error(expected) else len(expected)
    )


async def store_wide(trial: Trial) -> None:
    """Verify, recode, count and list: each reports the bad rows and reaches all others."""
    bad = sum(is_error(outcome) for outcome in trial.outcomes)
    rows = len(trial.outcomes) + 2
    works: dict[str, Callable[[], Awaitable[Any]]] = {
        "verify": lambda: maintenance.verify(trial.store),
        "stats": trial.store.stats,
        "list_sessions": trial.store.list_sessions,
        "recode": lambda: maintenance.recode(trial.store),
    }
    for name, work in works.items():
        try:
            report = await work()
        except Exception as error:
            detail = f"{name} raised {type(error).__name__}: {str(error)[:160]}"
            raise Finding(STOPPED, detail, [f"{type(error).__name__} from {name}"]) from None
        if trial.odd or name not in {"verify", "recode"}:
            continue
        # A recode does not open what is in its own form, and cannot write all that it reads.
        failed = report.failed == bad if name == "verify" else True
        whole = {failure.row_id for failure in report.failures} <= trial.bad
        if report.rows != rows or not failed or not whole:
            detail = f"{name}: {report.failed} of {report.rows} failed, not {bad} of {rows}"
            raise Finding(STOPPED, detail, [f"{name} counts"])
    await get_items(trial)
    await trial.reset()


async def go_on(trial: Trial) -> None:
    """Append behind the bad rows, and delete them."""
    await trial.attempt("add_items", trial.session.add_items([{"content": "x"}]))
    await trial.attempt("clear_session", trial.session.clear_session())
    if await tables.count(trial.store, CONTEXT) or await tables.count(trial.store, OTHER) != 2:
        raise Finding(WRONG, "clear_session deleted other rows than its own", ["clear"])
    await trial.reset()


CHECKS: dict[str, Callable[[Trial], Awaitable[None]]] = {
    check.__name__: check
    for check in (get_items, limited, hooked, iter_items, pop, fork, export, store_wide, go_on)
}
