"""The public module of the suites."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("missing", ["pytest", "hypothesis"])
def test_what_to_install_is_said_where_a_library_is_missing(missing):
    program = f"""
import sys
sys.modules[{missing!r}] = None
from strongroom import MissingDependencyError
try:
    import strongroom.testing
except MissingDependencyError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert b'pip install "strongroom[testing]"' in result.stdout
