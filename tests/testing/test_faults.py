"""The suites can fail: each of many faulty stages is caught, by the test that says what is wrong.

The faulty ones are in ``faults``, and are run by a pytest of their own.
"""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.slow

FAULTS = Path(__file__).parent / "faults"
FILES = ["serializers", "compressors", "ciphers", "others"]
LIST = """
import importlib, sys
sys.path.insert(0, {folder!r})
module = importlib.import_module({name!r})
for name, suite in vars(module).items():
    if hasattr(suite, "caught_by"):
        print(name, suite.caught_by, sep="::")
"""


def outcomes(folder: Path, name: str) -> dict[str, set[str]]:
    """Run faulty stages through the tests that have to catch them, and sound ones through all.

    Returns the tests that failed by class, and under "expected" those that had to.
    """
    program = LIST.format(folder=str(FAULTS), name=name)
    listed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    path = FAULTS / f"{name}.py"
    tests = [f"{path}::{test}" for test in listed]
    kinds = ("Reader", "Witness", "Session") if name == "others" else ("",)
    tests += [f"{path}::TestSound{kind}" for kind in kinds]
    report = folder / "report.xml"
    options = ["-q", "--tb=no", "-p", "no:cacheprovider", "--import-mode=importlib"]
    options += ["-c", os.devnull, f"--rootdir={folder}", f"--junitxml={report}"]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(FAULTS), *sys.path])},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stdout  # 1 says that tests failed; others, that none ran
    failed: dict[str, set[str]] = {test.partition("::")[0]: set() for test in listed}
    for case in ElementTree.parse(report).iter("testcase"):
        kind = case.attrib["classname"].rpartition(".")[2]
        failed.setdefault(kind, set())
        if len(case):
            failed[kind].add(case.attrib["name"])
    assert len(listed) > 5
    return failed | {"expected": {*listed}}


@pytest.mark.parametrize("name", FILES)
def test_every_fault_is_caught_by_the_test_that_is_named_after_it(name, tmp_path):
    found = outcomes(tmp_path, name)
    missed = []
    for expected in found.pop("expected"):
        kind, _, _ = expected.partition("::")
        if not found.pop(kind):
            missed.append(expected)
    assert missed == []
    assert found
    assert not any(found.values()), "a suite fails something that has no fault"
