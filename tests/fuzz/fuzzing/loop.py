"""Runs forms for some time, tells how it goes, and reports what was found."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from fuzzing import cases, expected
from fuzzing.cases import Case
from fuzzing.findings import Finding
from fuzzing.form import Form
from fuzzing.shrink import shrink
from fuzzing.trial import check

_EVERY_SECONDS = 5.0
_MOST_SHOWN = 20


@dataclass
class Report:
    """The counts of one form."""

    form: str
    seed: str
    cases: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    found: dict[tuple[str, ...], int] = field(default_factory=dict)
    """How often each new finding showed, by its signature."""

    def summary(self) -> str:
        """Return the counts in a few lines."""
        rate = self.cases / max(self.seconds, 0.001)
        first = f"{self.form}: {self.cases:,} cases in {self.seconds:.0f} s, {rate:,.0f} a second; "
        first += f"{len(self.found)} new findings, {self.known.total():,} times a known one"
        lines = [first]
        lines += [f"    {count:>9,}  {name}" for name, count in self.outcomes.most_common()]
        lines += [f"    {count:>9,}  known: {name}" for name, count in self.known.most_common()]
        lines += [f"    {n:>9,}  NEW: {'; '.join(found)}"[:240] for found, n in self.found.items()]
        return "\n".join(lines)


def case_of(form: Form, seed: str, number: int) -> Case:
    """Return a case by its number."""
    return form.generate(Random(f"{seed}/{form.name}/{number}"))


def run(form: Form, seed: str, seconds: float, say: Callable[[str], None] = print) -> Report:
    """Try cases of a form for some seconds."""
    report = Report(form.name, seed)
    started = told = time.monotonic()
    while (now := time.monotonic()) < started + seconds:
        if now > told + _EVERY_SECONDS:
            told = now
            rate = report.cases / (now - started)
            new = f", {len(report.found)} new findings" if report.found else ""
            say(f"{form.name}: {report.cases:,} cases, {rate:,.0f} a second{new}")
        _one(form, report, say)
    report.seconds = time.monotonic() - started
    return report


def _one(form: Form, report: Report, say: Callable[[str], None]) -> None:
    number = report.cases
    report.cases += 1
    case = case_of(form, report.seed, number)
    outcome = check(form, case)
    if isinstance(outcome, str):
        report.outcomes[outcome] += 1
        return
    entry = expected.entry_of(form.name, outcome)
    if entry is not None:
        report.known[entry.name] += 1
        return
    seen = report.found.get(outcome.signature, 0)
    report.found[outcome.signature] = seen + 1
    if not seen and len(report.found) <= _MOST_SHOWN:
        say(told(form, report.seed, number, case, outcome))


def told(form: Form, seed: str, number: int, case: Case, finding: Finding) -> str:
    """Return a finding in words, with its smallest case and how to try it again."""
    smallest = shrink(form, case, finding)
    text = cases.dumps({"name": "", "form": form.name, "why": finding.kind, "case": smallest})
    return (
        f"\nFOUND {finding}\n"
        f"  again:   make fuzz FORM={form.name} SEED={seed} CASE={number}\n"
        f"  smaller: save this line and run make fuzz REPLAY=file\n{text}\n"
    )
