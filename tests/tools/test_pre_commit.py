"""pre-commit runs the checks of ``make lint``."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_pre_commit_runs_each_check_of_make_lint() -> None:
    (checks,) = re.findall(r"^lint: ([a-z -]+?) *##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    hooks = re.findall(r"entry: make (.+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert hooks == checks.split()
    assert hooks
