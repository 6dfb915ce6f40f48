"""Checks of a history that somebody has edited: the ledger refuses it as the format says."""

from __future__ import annotations

import struct
from typing import Any

from fuzzing import golden, histories, leaks, sealing, tables
from fuzzing.cases import Case
from fuzzing.findings import BULK, STOPPED, WRONG, Finding, foreign
from fuzzing.golden import second_reader
from fuzzing.histories import LEDGER_KEYS, micros_of
from fuzzing.rows import KEY_TEXTS
from fuzzing.sealing import CONTEXT, NAMESPACE
from strongroom import DecodeError, StrongroomError, maintenance

_TEXTS = KEY_TEXTS | {
    text
    for key in LEDGER_KEYS
    for text in leaks.spellings(
        key,
        [
            b"strongroom ledger v1"
            + sealing.key_id(key)
            + sealing.lp(NAMESPACE)
            + sealing.lp(CONTEXT)
        ],
    )
}


class Trial:
    """One history: read in every way, and compared with what the second reader makes of it."""

    def __init__(self, store: Any, case: Case) -> None:
        self.store = store
        self.case = case
        self.rows = [tuple(row) for row in case["rows"]]
        self.leaks = leaks.Leaks(case["secrets"], _TEXTS)
        self._bound = store.codec.bind(CONTEXT, NAMESPACE)

    @property
    def hint(self) -> str:
        """Tell findings about sessions apart whose row is gone."""
        gone = not self.case["registered"]
        return " without the session's row" if gone else "" if self.rows else " without rows"

    async def run(self) -> str:
        """Fill the tables and read; return what a whole read came to."""
        case, store = self.case, self.store
        rows = [(number, value, time) for number, (value, time) in enumerate(self.rows, 1)]
        sessions = [{"id": CONTEXT, "rows": rows}]
        heads = [(CONTEXT, case["head"])] if case["head"] is not None else []
        await tables.fill(store, sessions, heads, registered=case["registered"])
        session = store.session(CONTEXT)
        expected = self.whole()
        whole = await self.attempt("get_items", session.get_items())
        _compare("get_items", whole, expected)
        found: list[Any] = []
        ended = await self.attempt("iter_items", _collect(session.iter_items(case["batch"]), found))
        _compare("iter_items", found if ended is None else ended, expected)
        last = await self.attempt("get_items(limit)", session.get_items(case["limit"]))
        _compare("get_items(limit)", last, self.latest(case["limit"]))
        await self._store_wide(expected)
        await self._pop(session, expected)
        self.leaks.done()
        return type(whole).__name__ if isinstance(whole, Exception) else "served"

    async def _store_wide(self, expected: list[Any] | None) -> None:
        try:
            report = await maintenance.verify(self.store)
        except Exception as error:
            detail = f"verify raised {type(error).__name__}: {str(error)[:120]}"
            raise Finding(STOPPED, detail, [f"{type(error).__name__} from verify"]) from None
        if report.ok != (expected is not None):
            said = "accepts" if report.ok else "refuses"
            raise Finding(
                BULK, f"verify {said} what get_items does not", [f"verify {said}{self.hint}"]
            )
        lines: list[Any] = []
        ended = await self.attempt("export_items", _collect(self.store.export_items(), lines))
        if expected is None and ended is None and not lines and not self.rows:
            return  # only a witness knows that there should be something
        if (ended is None) != (expected is not None) or (
            ended is None and len(lines) != len(expected or ())
        ):
            came = type(ended).__name__ if ended else f"{len(lines)} lines"
            raise Finding(WRONG, f"export_items came to {came}", [f"export_items{self.hint}"])

    async def _pop(self, session: Any, expected: list[Any] | None) -> None:
        held = await tables.count(self.store, CONTEXT)
        popped = await self.attempt("pop_item", session.pop_item())
        newest = self.latest(1)
        _compare("pop_item", popped, newest[0] if newest else None, refuses=newest is None)
        left = await tables.count(self.store, CONTEXT)
        if left != held - (not isinstance(popped, Exception) and held > 0):
            raise Finding(WRONG, f"a pop left {left} of {held} rows", ["pop deletes"])
        if expected is not None:
            again = await self.attempt("get_items after a pop", session.get_items())
            _compare("get_items after a pop", again, expected[:-1])

    def whole(self) -> list[Any] | None:
        """Return the items of the history as the second reader has it, None for a refusal."""
        rows = [(value, micros_of(time)) for value, time in self.rows]
        try:
            values = second_reader.read(LEDGER_KEYS, NAMESPACE, CONTEXT, self.case["head"], rows)
        except Exception:
            return None
        if self.case["head"] is None and rows:
            return None
        return self._items(values)

    def latest(self, wanted: int) -> list[Any] | None:
        """Return the latest items if the head vouches for them, None for a refusal."""
        return self._items(histories.vouched_for(self.case["head"], self.rows, wanted))

    def _items(self, values: list[Any] | None) -> list[Any] | None:
        seen, head = self.case["witness"], self.case["head"]
        if values is None or (seen is not None and not _is_new(head, seen)):
            return None
        try:
            return [self._bound.decode(value) for value in values]
        except DecodeError:
            return None

    async def attempt(self, what: str, work: Any) -> Any:
        """Await an operation; an error of ours is checked and returned."""
        try:
            return await work
        except StrongroomError as error:
            self.leaks.look(error, what)
            return error
        except Exception as error:
            raise foreign(error, what) from None


def _is_new(head: bytes | None, seen: list[Any]) -> bool:
    if head is None:
        return False
    version = struct.unpack(">Q", head[12:20])[0]
    return version > seen[0] or (version == seen[0] and head[44:] == seen[1])


async def _collect(items: Any, found: list[Any]) -> None:
    async for item in items:
        found.append(item)


def _compare(what: str, found: Any, expected: Any, *, refuses: bool | None = None) -> None:
    """Raise a Finding unless both refuse, or both have the same items; None is a refusal."""
    refused = isinstance(found, Exception)
    if refused != (expected is None if refuses is None else refuses):
        detail = f"{what}: {found!r}, and the second reader says {expected!r}"[:300]
        said = "refused" if refused else "served"
        raise Finding(WRONG, detail, [f"{what}: {said}, unlike the second reader"])
    if not refused and not golden.same(found, expected):
        raise Finding(WRONG, f"{what}: {str(found)[:120]}", [what])
