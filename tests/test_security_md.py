"""SECURITY.md promises nothing that no test shows."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
GUARANTEES = PAGE[PAGE.index("\n## Guarantees\n") : PAGE.index("\n## Not protected\n")]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_every_test_that_it_names_exists(path, name):
    source = (ROOT / path).read_text("utf-8")
    assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE)


def test_every_guarantee_names_its_test():
    parts = re.split(r"^(?=\d+\. )", GUARANTEES, flags=re.MULTILINE)[1:]
    assert [part.split(".")[0] for part in parts] == [str(n + 1) for n in range(len(parts))]
    assert len(parts) >= 10
    for part in parts:
        assert re.search(r"`tests/[\w/]+\.py::\w+`", part), part
    assert GUARANTEES.count("::") == len(NAMED), "a test is named in a form that is not checked"


def test_every_number_that_it_refers_to_is_a_guarantee():
    last = len(re.findall(r"^\d+\. \*\*", GUARANTEES, flags=re.MULTILINE))
    table = PAGE[PAGE.index("\n## From whom\n") : PAGE.index("\n## Guarantees\n")]
    groups = re.findall(r"\((\d[\d, \u2013]*)\)", table)
    numbers = [int(number) for group in groups for number in re.findall(r"\d+", group)]
    assert numbers
    assert all(1 <= number <= last for number in numbers)


NOT_PROTECTED = """order completeness lengths times session memory backups rotation write-ahead
    plaintext compression tools environment authorization namespace ledger"""


@pytest.mark.parametrize("subject", NOT_PROTECTED.split())
def test_what_is_not_protected_is_said(subject):
    section = PAGE[PAGE.index("\n## Not protected\n") : PAGE.index("\n## Primitives")]
    assert subject in section.lower()
