"""One history with bad rows: the store, what each row comes to alone, and how the two compare."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from fuzzing import golden, leaks, tables
from fuzzing.cases import Case
from fuzzing.findings import BULK, WRONG, Finding, foreign
from fuzzing.rows import KEY_TEXTS
from fuzzing.sealing import CONTEXT, NAMESPACE
from strongroom import Codec, DecodeError, SessionStore, StrongroomError


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
        # Sessions and stores differ in how they read a value of the wrong type.
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
        """The outcome of the case, in a word."""
        errors = [type(outcome).__name__ for outcome in self.outcomes if is_error(outcome)]
        return errors[0] if errors else "odd" if self.odd else "read"

    def readable(self, outcomes: list[Any]) -> list[Any] | DecodeError:
        """Return what a read of these rows has to come to."""
        kept = []
        for outcome in outcomes:
            if not is_error(outcome):
                kept.append(outcome)
            elif not self.leaves_out(outcome):
                return outcome
        return kept

    def leaves_out(self, error: DecodeError) -> bool:
        """Say whether a read may leave out the row with this error."""
        bare = type(error).__name__ == "NotJSONError" and self.store.codec.cipher is None
        return self.store.on_error == "skip" or (self.store.on_error is None and bare)

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
        if is_error(expected):
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


def is_error(outcome: Any) -> bool:
    return isinstance(outcome, DecodeError)


def _kind(outcome: Any) -> str:
    return type(outcome).__name__ if isinstance(outcome, Exception) else "items"
