"""The public namespace: sorted, complete and documented."""

from __future__ import annotations

import ast
import inspect
import pickle
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

import strongroom
from strongroom import errors, protocols
from strongroom.core import options

ALIASES = {"Item"}
"""Public names that are neither class nor function; a string below the assignment says what."""


def test_all_is_sorted_and_has_nothing_twice() -> None:
    assert strongroom.__all__ == sorted(set(strongroom.__all__))


def test_all_is_complete() -> None:
    assert list(strongroom._HOMES) == strongroom.__all__
    assert set(strongroom.__all__) <= set(dir(strongroom))
    for name in strongroom.__all__:
        getattr(strongroom, name)
    others = {
        name
        for name, value in vars(strongroom).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert others == set(strongroom.__all__)


def test_type_checkers_and_python_find_a_name_in_the_same_module() -> None:
    tree = ast.parse(Path(strongroom.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    assert ast.unparse(block.test) == "typing.TYPE_CHECKING"
    imported = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname is None
    }
    assert imported == strongroom._HOMES


def test_a_name_that_is_not_public_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'strongroom' has no attribute 'Sesion'"):
        _ = strongroom.Sesion
    with pytest.raises(ImportError, match="cannot import name 'Sesion'"):
        exec("from strongroom import Sesion")


@pytest.mark.parametrize("name", sorted(set(strongroom.__all__) - ALIASES))
def test_a_public_name_knows_where_it_is_defined(name: str) -> None:
    value = getattr(strongroom, name)
    assert value.__module__.startswith(strongroom._HOMES[name])
    assert pickle.loads(pickle.dumps(value)) is value


def test_a_store_that_was_pickled_has_sessions_where_nothing_else_was_imported() -> None:
    made = pickle.dumps((strongroom.SessionStore, "sqlite+aiosqlite://"))
    program = (
        f"import pickle; kind, url = pickle.loads({made!r})\n"
        "print(type(kind.from_url(url).session('s')).__name__)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "SQLAlchemySession"


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


@pytest.mark.parametrize(
    ("kind", "typed", "besides"),
    [
        (strongroom.SessionStore, options.StoreOptions, {"engine"}),
        (strongroom.SQLAlchemySession, options.SessionOptions, {"engine", "session_id"}),
    ],
)
def test_from_url_is_typed_with_every_option_of_the_constructor(kind, typed, besides) -> None:
    assert typed.__optional_keys__ == set(inspect.signature(kind).parameters) - besides


def test_an_option_that_there_is_not_is_named() -> None:
    url = "sqlite+aiosqlite://"
    for make in (
        lambda: strongroom.SessionStore.from_url(url, colum_type="text"),
        lambda: strongroom.SQLAlchemySession.from_url("s", url=url, colum_type="text"),
        lambda: strongroom.SessionStore.from_url(url).session("s", colum_type="text"),
    ):
        with pytest.raises(TypeError, match="unexpected keyword argument 'colum_type'"):
            make()
