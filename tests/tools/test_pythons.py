"""Finding an interpreter for each Python that the classifiers name."""

import tomllib
from pathlib import Path

import pytest

from tools import pythons

ROOT = Path(__file__).parents[2]


def make_interpreter(path: Path, version: str, status: int = 0) -> Path:
    """Write a program that answers as an interpreter does, or fails as a shim does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version} {path}\nexit {status}\n")
    path.chmod(0o755)
    return path


def test_classifiers_begin_with_the_oldest_python_that_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    claimed = pythons.claimed()
    minors = [int(version.removeprefix("3.")) for version in claimed]
    assert project["requires-python"] == f">={claimed[0]}"
    assert minors == list(range(minors[0], minors[-1] + 1))


def test_ci_takes_its_pythons_from_the_classifiers() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "tests/tools/pythons.py" in script
    assert not [version for version in pythons.claimed() if version in script]


def test_an_interpreter_on_the_path_is_found(tmp_path: Path) -> None:
    path = make_interpreter(tmp_path / "bin" / "python3.12", "3.12")
    assert pythons.find("3.12", {"PATH": str(path.parent)}) == path


def test_the_newest_release_of_pyenv_is_found(tmp_path: Path) -> None:
    for release in ("3.12.2", "3.12.10", "3.13.0", "3.12-dev", "3.12.11t"):
        make_interpreter(tmp_path / "versions" / release / "bin" / "python", release[:4])
    found = pythons.find("3.12", {"PYENV_ROOT": str(tmp_path)})
    assert found == tmp_path / "versions" / "3.12.10" / "bin" / "python"


def test_pyenv_is_found_in_the_home_folder(tmp_path: Path) -> None:
    path = make_interpreter(tmp_path / ".pyenv" / "versions" / "3.12.1" / "bin" / "python", "3.12")
    assert pythons.find("3.12", {"HOME": str(tmp_path)}) == path


def test_a_shim_that_fails_is_passed_over(tmp_path: Path) -> None:
    shim = make_interpreter(tmp_path / "shims" / "python3.12", "3.12", status=127)
    path = make_interpreter(tmp_path / "versions" / "3.12.1" / "bin" / "python", "3.12")
    assert pythons.find("3.12", {"PATH": str(shim.parent), "PYENV_ROOT": str(tmp_path)}) == path


def test_another_version_under_the_name_is_passed_over(tmp_path: Path) -> None:
    path = make_interpreter(tmp_path / "bin" / "python3", "3.14")
    assert pythons.find("3.12", {"PATH": str(path.parent)}) is None


def test_a_missing_python_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pythons, "claimed", lambda: ["3.11", "3.98", "3.99"])
    with pytest.raises(SystemExit, match=r"no Python 3\.98, 3\.99 .* put python3\.98 on the PATH"):
        pythons.main()
    assert capsys.readouterr().out == ""
