"""One case under the bounds of time and memory."""

from __future__ import annotations

from fuzzing import expected, limits
from fuzzing.cases import Case
from fuzzing.findings import MEMORY, TIME, Finding, foreign
from fuzzing.form import Form

_REPEATS = 2


def check(form: Form, case: Case) -> str | Finding:
    """Run a case; a new finding about time or memory has to show again to count."""
    outcome = _once(form, case)
    for _ in range(_REPEATS):
        if not isinstance(outcome, Finding) or outcome.kind not in {TIME, MEMORY}:
            break
        if expected.entry_of(form.name, outcome) is not None:
            break
        limits.settle()
        outcome = _once(form, case)
    return outcome


def _once(form: Form, case: Case) -> str | Finding:
    usage = limits.Usage()
    try:
        label = form.run(case)
        usage.check(form.max_size(case))
    except Finding as finding:
        return finding
    except Exception as error:
        return foreign(error, "the check itself")
    return label
