"""The audit of dependencies tells a vulnerability from a database that does not answer."""

import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("audit", Path(__file__).parent / "audit.py")
audit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(audit)

GOOD = {"name": "orjson", "version": "3.11.0", "vulns": []}
BAD = {"id": "PYSEC-1", "fix_versions": ["0.3.0"]}
OURS = {"name": "aiomysql", "version": "0.2.0", "vulns": [BAD]}
TOOL = {"name": "ruff", "version": "1.0", "vulns": [BAD]}
UNKNOWN = {"name": "orjson", "skip_reason": "not found"}


def test_users_packages_are_those_of_the_extras_that_users_install():
    names = audit.required()
    assert {"sqlalchemy", "aiosqlite", "aiomysql", "asyncpg", "zstandard", "typer"} <= names
    assert not {"ruff", "mypy", "pytest-xdist"} & names


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([GOOD], 0, "1 of 1 packages"),
        ([GOOD, OURS], 1, "aiomysql 0.2.0: PYSEC-1, fixed in 0.3.0"),
        ([GOOD, TOOL], 0, "a tool: ruff"),
        ([UNKNOWN], 0, "No advisory database"),
        ([], 0, "No advisory database"),
    ],
    ids=["good", "a package of ours", "a tool", "unknown", "no answer"],
)
def test_the_result(monkeypatch, capsys, packages, code, said):
    monkeypatch.setattr(audit, "audit", lambda site: packages)
    assert audit.main(["site-packages"]) == code
    assert said in capsys.readouterr().out
