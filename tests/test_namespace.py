"""The public namespace: sorted, complete and documented."""

from __future__ import annotations

import ast
import inspect
import re
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

import strongroom
from strongroom import errors, protocols

ALIASES = {"Item"}
"""Public names that are neither class nor function; a string below the assignment says what."""


def test_all_is_sorted_and_has_nothing_twice() -> None:
    assert strongroom.__all__ == sorted(set(strongroom.__all__))


def test_all_is_complete() -> None:
    others = {
        name
        for name, value in vars(strongroom).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert others == set(strongroom.__all__)


def test_every_error_of_the_tree_is_public() -> None:
    drawn = set(re.findall(r"─ (\w+)", errors.__doc__ or "")) | {"StrongroomError"}
    assert len(drawn) == 14
    assert drawn <= set(strongroom.__all__)


@pytest.mark.parametrize("name", sorted(set(strongroom.__all__) - ALIASES))
def test_a_public_name_has_a_docstring(name: str) -> None:
    value = getattr(strongroom, name)
    assert inspect.isclass(value) or inspect.isfunction(value)
    doc = value.__dict__.get("__doc__") if inspect.isclass(value) else value.__doc__
    assert doc
    assert not doc.startswith(f"{name}("), "that is what a dataclass writes if there is none"


@pytest.mark.parametrize("name", sorted(ALIASES))
def test_a_public_alias_is_documented_where_it_is_defined(name: str) -> None:
    body = ast.parse(Path(protocols.__file__).read_text(encoding="utf-8")).body
    for statement, following in pairwise(body):
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == name:
            assert isinstance(following, ast.Expr)
            assert isinstance(ast.literal_eval(following.value), str)
            return
    pytest.fail(f"{name} is not assigned in protocols.py")
