"""The tiers of the tests: ``pytest --tier fast`` (the default), ``full`` or ``long``.

- fast: each test on one database at most, a SQLite file where it can be, and what is not slow.
- full: every database, every fault.
- long: the same, with more examples, more rows, more kills.
"""

from __future__ import annotations

import os
from typing import TypeVar

from hypothesis import settings

TIERS = ("fast", "full", "long")
VARIABLE = "STRONGROOM_TEST_TIER"
_FAST_EXAMPLES = 15
_LONG = 10

T = TypeVar("T")


def current() -> str:
    """Return the tier that runs; ``choose`` has set it before any test module is imported."""
    return os.environ.get(VARIABLE, "fast")


def choose(tier: str) -> None:
    """Make it the current tier, of processes too that the tests start."""
    os.environ[VARIABLE] = tier
    for name in TIERS:
        settings.register_profile(name, deadline=None, max_examples=_examples(name, 100))
    settings.load_profile(tier)


def examples(count: int) -> int:
    """Return how many examples Hypothesis tries, where the full tier tries ``count``."""
    return _examples(current(), count)


def by_tier(*, full: T, long: T) -> T:
    """Return the value for the tier: rows, kills, rounds; a fast test has as many as in full."""
    return long if current() == "long" else full


def _examples(tier: str, count: int) -> int:
    if tier == "fast":
        return min(count, _FAST_EXAMPLES)
    return count * _LONG if tier == "long" else count
