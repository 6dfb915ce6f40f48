"""Measuring what the tests cover, on a package of the same name with a few lines."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

RUN = Path(__file__).parent / "coverage" / "run.py"
PACKAGE = """
from typing import Protocol

class Shape(Protocol):
    def area(self) -> int:
        '''Return it.'''
        ...

def sign(number):
    if number < 0:
        return -1
    return 1

def double(number):
    return 2 * number
"""
EXCLUDED = "exclude-also = ['^class .*Protocol.*:']\n"
TESTS = """
import multiprocessing
import subprocess
import sys

import pytest
import strongroom

def test_plus():
    assert strongroom.sign(1) == 1

def test_minus_in_a_process_of_its_own():
    program = "import strongroom, sys; sys.exit(strongroom.sign(-1) + 1)"
    subprocess.run([sys.executable, "-c", program], check=True)

def test_double_in_a_forked_process():
    process = multiprocessing.get_context("forkserver").Process(target=strongroom.double, args=[2])
    process.start()
    process.join()
    assert process.exitcode == 0
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with a package, its tests and the minimum."""
    pytest.importorskip("slipcover", reason="SlipCover is missing: make coverage installs it")
    (tmp_path / "strongroom").mkdir()
    (tmp_path / "strongroom" / "__init__.py").write_text(PACKAGE)
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "pyproject.toml").write_text("[tool.slipcover]\nfail-under = 100\n" + EXCLUDED)
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run its tests and measure, on two workers."""
    environ = os.environ | {"PYTHONPATH": str(project)}
    command = [sys.executable, str(RUN), "-n", "2", *arguments]
    return subprocess.run(
        command, cwd=project, env=environ, capture_output=True, text=True, check=False
    )


def test_processes_count_that_a_test_starts(project: Path) -> None:
    done = run(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100.00 % of lines and branches are covered" in done.stdout


def test_too_little_fails_and_names_the_lines(project: Path) -> None:
    done = run(project, "-k", "not minus")
    assert done.returncode == 1
    assert "Test what the table names" in done.stderr
    assert any(
        line.startswith("__init__.py ") and "11" in line for line in done.stdout.splitlines()
    )


def test_a_failing_test_fails_the_run(project: Path) -> None:
    (project / "test_some.py").write_text("def test_fails():\n    assert False\n")
    done = run(project)
    assert done.returncode == 1
    assert "%" not in done.stdout.splitlines()[-1]
