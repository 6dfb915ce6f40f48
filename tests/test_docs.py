"""The documentation names every public name, and has every page in its navigation."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REFERENCE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
PUBLIC = [
    f"{module}.{name}"
    for module in ("strongroom", "strongroom.maintenance", "strongroom.testing")
    for name in importlib.import_module(module).__all__
]


@pytest.mark.parametrize("name", PUBLIC)
def test_the_reference_has_every_public_name(name):
    assert len(re.findall(rf"^::: {re.escape(name)}$", REFERENCE, re.MULTILINE)) == 1


def test_the_reference_has_no_other_names():
    assert set(re.findall(r"^::: (\S+)$", REFERENCE, re.MULTILINE)) == set(PUBLIC)


@pytest.mark.parametrize("module", ["maintenance", "testing"])
def test_the_names_of_a_public_module_are_sorted_and_there_once(module):
    names = importlib.import_module(f"strongroom.{module}").__all__
    assert names == sorted(set(names))


def test_every_page_is_in_the_navigation():
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"^ +- .*: (\S+\.md)$", config, re.MULTILINE))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")}
    assert listed == pages
