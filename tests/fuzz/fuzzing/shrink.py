"""Makes a case smaller for as long as it shows the same finding."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from fuzzing.cases import Case
from fuzzing.findings import Finding
from fuzzing.form import Form
from fuzzing.trial import check

_SECONDS = 4.0
_SHRUNK = ("stored", "rows", "do", "lines", "stdin", "arguments", "text", "times", "accept")
"""The parts of cases that may become smaller; the others say what the case is."""


def shrink(form: Form, case: Case, finding: Finding) -> Case:
    """Return a case with the same finding from which nothing more can be taken in some seconds."""
    until = time.monotonic() + _SECONDS

    def shows(smaller: Case) -> bool:
        if time.monotonic() > until:
            return False
        try:
            outcome = check(form, smaller)
        except Exception:
            return False
        return isinstance(outcome, Finding) and outcome.signature == finding.signature

    for name in _SHRUNK:
        if name in case:
            case = case | {name: _smallest(case[name], _replacing(case, name, shows))}
    return case


def _replacing(case: Case, name: str, shows: Callable[[Case], bool]) -> Callable[[Any], bool]:
    return lambda value: shows(case | {name: value})


def _smallest(value: Any, shows: Callable[[Any], bool]) -> Any:
    for smaller in _cuts(value):
        if shows(smaller):
            return _smallest(smaller, shows)
    if isinstance(value, list) and len(value) <= 20:
        for place, part in enumerate(value):
            if isinstance(part, str | bytes | list):
                value = [
                    *value[:place],
                    _smallest(part, _placing(value, place, shows)),
                    *value[place + 1 :],
                ]
    return value


def _placing(value: list[Any], place: int, shows: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda part: shows([*value[:place], part, *value[place + 1 :]])


def _cuts(value: Any) -> Iterator[Any]:
    """Yield a value without a half of it, a quarter, and so on."""
    if not isinstance(value, str | bytes | list) or len(value) > 200_000:
        return
    size = len(value) // 2
    while size:
        for start in range(0, len(value), size):
            yield value[:start] + value[start + size :]
        size //= 2
    if len(value) == 1:
        yield value[:0]
