"""What sessions and stores have to do with a history that has bad rows in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fuzzing import golden, leaks, tables
from fuzzing.cases import Case
from fuzzing.findings import BULK, STOPPED, WRONG, Finding, foreign
from fuzzing.rows import KEY_TEXTS
from fuzzing.sealing import CONTEXT, NAMESPACE
from fuzzing.tables import OTHER, HookedSession
from strongroom import Codec, DecodeError, EncodeError, SessionStore, StrongroomError, maintenance


class Trial:
    """One case: the store, and what each row came to when the codec read it alone."""

    def __init__(self, store: SessionStore, case: Case, values: list[Any], codec: Codec) -> None:
        self.store = store
        self.case = case
        self.session = store.session(CONTEXT)
        self.leaks = leaks.Leaks(case["secrets"], KEY_TEXTS)
        self._bound = codec.bind(CONTEXT, NAMESPACE)
        self._sessions: list[Case] = []
        self.outcomes: list[Any] = []
        self._values = values
        self.bad = {n for n, row in enumerate(case["rows"], 1) if type(row) is not int}
        # What the column should not hold is read in other ways by sessions and by stores.
        kind = str if case["column"] == "text" else bytes
        odd = [value for value in values if not isinstance(value, kind)]
        self.odd = bool(odd or "times" in case or "updated_at" in case)

    async def prepare(self, sessions: list[Case]) -> None:
        """Fill the tables, and read each row alone."""
        self._sessions = sessions
        await self.reset()
        self.outcomes = [self._alone(value) for value in self._values]

    async def reset(self) -> None:
        """Put the tables back to what they were."""
        await tables.fill(self.store, self._sessions)

    def _alone(self, value: Any) -> Any:
        if not isinstance(value, str | bytes):
            return None
        try:
            return self._bound.decode(value)
        except DecodeError as error:
            return error
        except Exception as error:
            raise foreign(error, "decode") from None

    @property
    def label(self) -> str:
        """What the case came to, in a word."""
        errors = [type(outcome).__name__ for outcome in self.outcomes if _is_error(outcome)]
        return errors[0] if errors else "odd" if self.odd else "read"

    def readable(self, outcomes: list[Any]) -> list[Any] | DecodeError:
        """Return what a read of these rows has to come to."""
        kept = []
        for outcome in outcomes:
            if not _is_error(outcome):
                kept.append(outcome)
            elif not self.store.leaves_out(outcome):
                return outcome
        return kept

    async def attempt(self, what: str, work: Awaitable[Any]) -> Any:
        """Await an operation; an error of ours is checked and returned."""
        try:
            return await work
        except StrongroomError as error:
            self.leaks.look(error, what)
            return error
        except Exception as error:
            raise foreign(error, what) from None

    def compare(self, what: str, found: Any, expected: Any) -> None:
        """Raise a Finding unless an operation came to what the rows alone came to."""
        if self.odd:
            return
        if _is_error(expected):
            row = self.outcomes.index(expected) + 1
            if type(found) is not type(expected) or getattr(found, "row_id", None) != row:
                detail = f"{what}: {_kind(expected)} of row {row} expected, {_kind(found)} came"
                raise Finding(BULK, detail, [f"{what}: {_kind(expected)}, {_kind(found)}"])
        elif isinstance(found, Exception):
            raise Finding(
                BULK, f"{what}: items expected, {found!r} came", [f"{what}: {_kind(found)}"]
            )
        elif not golden.same(found, expected):
            raise Finding(WRONG, f"{what}: {str(found)[:120]}", [what])


def _is_error(outcome: Any) -> bool:
    return isinstance(outcome, DecodeError)


def _kind(outcome: Any) -> str:
    return type(outcome).__name__ if isinstance(outcome, Exception) else "items"


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
        if not _is_error(expected):
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
        while expected and _is_error(expected[-1]) and trial.store.leaves_out(expected[-1]):
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
    errors = [outcome for outcome in trial.outcomes if _is_error(outcome)]
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
        "export_items", ended or len(found), expected if _is_error(expected) else len(expected)
    )


async def store_wide(trial: Trial) -> None:
    """Verify, recode, count and list: each reports the bad rows and reaches all others."""
    bad = sum(_is_error(outcome) for outcome in trial.outcomes)
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
