"""Findings that are known and not mended yet.

Each has a case in the corpus that shows it. As soon as a case shows nothing any more, the test of
the corpus fails: remove the entry here, and the line with its name from the case, which stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fuzzing.findings import Finding


@dataclass(frozen=True)
class Expected:
    """A known finding: of which kinds and forms, and a pattern of its details."""

    name: str
    kinds: tuple[str, ...]
    forms: tuple[str, ...]
    pattern: str

    def covers(self, form: str, finding: Finding) -> bool:
        """Tell whether a finding is this one."""
        where = form in self.forms and finding.kind in self.kinds
        return where and re.search(self.pattern, finding.detail, re.DOTALL) is not None


EXPECTED: tuple[Expected, ...] = ()


def entry_of(form: str, finding: Finding) -> Expected | None:
    """Return the entry that covers a finding, None for a new one."""
    return next((entry for entry in EXPECTED if entry.covers(form, finding)), None)
