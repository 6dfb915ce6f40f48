"""The lines that show progress where the output is no terminal."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent
OFTEN = """
import progress
from progress import pytest_configure

progress.SECONDS = 0.05
"""
TESTS = """
import time

import pytest

def test_passes_slowly():
    time.sleep(0.5)

def test_fails():
    assert False

def test_is_skipped():
    pytest.skip("for a reason")

@pytest.fixture
def broken():
    raise ValueError

def test_has_a_broken_fixture(broken):
    pass
"""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the output of a run, as a file receives it."""
    folder = tmp_path_factory.mktemp("progress")
    (folder / "often.py").write_text(OFTEN)
    (folder / "test_some.py").write_text(TESTS)
    (folder / "pytest.ini").touch()
    environ = os.environ | {"PYTHONPATH": os.pathsep.join((str(folder), str(TOOLS)))}
    command = [sys.executable, "-m", "pytest", "-p", "often", "-n", "1"]
    done = subprocess.run(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 1
    return done.stdout.splitlines()


def test_counts_what_is_done_while_it_runs(lines: list[str]) -> None:
    assert any(re.fullmatch(r"\[ *\d+:\d\d\] \d of 4 tests done.*", line) for line in lines)


def test_names_a_failure_at_once(lines: list[str]) -> None:
    closing = next(n for n, line in enumerate(lines) if "FAILURES" in line or "ERRORS" in line)
    told = [line.partition("] ")[2] for line in lines[:closing]]
    assert "failed in its call: test_some.py::test_fails" in told
    assert "failed in its setup: test_some.py::test_has_a_broken_fixture" in told


@pytest.mark.slow
def test_leaves_the_closing_line_as_it_was(lines: list[str]) -> None:
    assert "1 failed, 1 passed, 1 skipped, 1 error in" in lines[-1]


def test_prints_no_dots(lines: list[str]) -> None:
    assert not [line for line in lines if re.fullmatch(r"[.sFE]+( +\[.*)?", line)]
