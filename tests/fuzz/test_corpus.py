"""Replays each case of the corpus: a finding of the fuzzer stays found, or stays mended."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fuzzing import cases
from fuzzing.expected import EXPECTED, entry_of
from fuzzing.findings import Finding
from fuzzing.forms import FORMS
from fuzzing.trial import check

CORPUS = cases.corpus()
TRIES = 20


def tried(form, kept):
    """Try a case; one that is expected to show something may need several tries, as races do."""
    outcome = check(form, kept["case"])
    for _ in range(TRIES if "expected" in kept else 0):
        if isinstance(outcome, Finding):
            break
        outcome = check(form, kept["case"])
    return outcome


@pytest.mark.parametrize("name", CORPUS)
def test_a_case_of_the_corpus_shows_what_it_is_known_for_and_nothing_else(name):
    kept = CORPUS[name]
    with closing(FORMS[kept["form"]]()) as form:
        outcome = tried(form, kept)
    if "expected" not in kept:
        assert not isinstance(outcome, Finding), outcome
        return
    assert isinstance(outcome, Finding), (
        f"This shows nothing any more: remove the entry {kept['expected']!r} from "
        f"fuzzing/expected.py, and the line with its name from corpus/{name}.json."
    )
    entry = entry_of(kept["form"], outcome)
    assert entry is not None, outcome
    assert entry.name == kept["expected"], outcome


def test_every_expected_finding_has_a_case_that_shows_it():
    shown = {kept["expected"] for kept in CORPUS.values() if "expected" in kept}
    assert shown == {entry.name for entry in EXPECTED}
