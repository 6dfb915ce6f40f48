"""``python -m fuzzing``, which ``make fuzz`` runs: exit code 1 if something new was found."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from fuzzing import cases, expected, loop
from fuzzing.findings import Finding
from fuzzing.form import Form
from fuzzing.forms import FORMS
from fuzzing.trial import check


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line says."""
    parser = argparse.ArgumentParser("fuzzing", description="Fuzz what strongroom reads.")
    parser.add_argument("--seconds", type=float, default=60, help="for all forms together")
    parser.add_argument("--seed", default="", help="what the cases are made of; random if empty")
    parser.add_argument("--form", default="", choices=["", *FORMS], help="only this form")
    parser.add_argument("--case", default="", help="only the case of this number; needs a seed")
    parser.add_argument("--replay", default="", help="try the case in this file")
    options = parser.parse_args(arguments)
    if options.replay:
        found = cases.loads(Path(options.replay).read_text("ascii"))
        with closing(FORMS[found["form"]]()) as form:
            return _again(form, found["case"])
    seed = options.seed or secrets.token_hex(4)
    if options.case:
        if not (options.form and options.seed and options.case.isdecimal()):
            parser.error("a case is a number, and takes the form and the seed that it is of")
        with closing(FORMS[options.form]()) as form:
            return _again(form, loop.case_of(form, seed, int(options.case)))
    chosen = {options.form: FORMS[options.form]} if options.form else FORMS
    print(f"SEED={seed}, {options.seconds:g} s for {', '.join(chosen)}", flush=True)
    return _all(chosen, seed, options.seconds)


def _all(chosen: dict[str, Callable[[], Form]], seed: str, seconds: float) -> int:
    reports = []
    for make in chosen.values():
        with closing(make()) as form:
            reports.append(loop.run(form, seed, seconds / len(chosen), _say))
    for report in reports:
        _say(report.summary())
    new = sum(len(report.found) for report in reports)
    _say(f"SEED={seed}: {new} new findings in {sum(report.cases for report in reports):,} cases")
    return 1 if new else 0


def _again(form: Form, case: cases.Case) -> int:
    outcome = check(form, case)
    _say(cases.dumps(case))
    if not isinstance(outcome, Finding):
        _say(f"Nothing was found: {outcome}")
        return 0
    entry = expected.entry_of(form.name, outcome)
    _say(f"FOUND {outcome}" if entry is None else f"Known ({entry.name}): {outcome}")
    return 1 if entry is None else 0


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
