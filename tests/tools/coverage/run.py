"""Run pytest, and measure which lines and branches of the strongroom that it imports are run.

    python tests/tools/coverage/run.py -n 2 --tier full

The arguments go to pytest. Run it in the project's folder. It fails as pytest does, or when less is
covered than ``fail-under`` in pyproject.toml's ``tool.slipcover``. Processes that the tests start
are measured too, except those that are killed.

SlipCover counts as coverage.py does, and costs a tenth of the time. coverage.py's tracer costs more
than the tests themselves, because each event of each library asks for the current greenlet.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import slipcover
from slipcover.config import read_config

HERE = Path(__file__).parent
WIDTH = 100
# Its plugin for pytest would measure the xdist workers alone.
PYTEST = ["-m", "pytest", "-p", "no:slipcover"]
# SlipCover has to be there before pytest, which would rather rewrite the assertions of its plugin.
PYTEST += ["-W", "ignore:Module already imported so cannot be rewritten"]


def main() -> None:
    """Run pytest, print what was not reached, and fail if it is too much."""
    config = read_config()
    options = {"branch": True, "exclude_also": config.get("exclude-also")}
    with tempfile.TemporaryDirectory() as folder:
        environ = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH")))),
            "STRONGROOM_COVERAGE": json.dumps([folder, options]),
        }
        command = [sys.executable, *PYTEST, *sys.argv[1:]]
        if status := subprocess.run(command, env=environ, check=False).returncode:
            raise SystemExit(status)
        whole = put_together(Path(folder), options)
    slipcover.print_coverage(whole, missing_width=WIDTH, skip_covered=True)
    covered = whole["summary"]["percent_covered"]
    minimum = config["fail-under"]
    print(f"\n{covered:.2f} % of lines and branches are covered; at least {minimum} % have to be.")
    if covered < minimum:
        raise SystemExit("Test what the table names, or exclude it and say why.")


def put_together(folder: Path, options: dict[str, Any]) -> Any:
    """Return the parts that the processes wrote as one, with the files that none has imported."""
    spec = importlib.util.find_spec("strongroom")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    whole = slipcover.Slipcover(source=[str(package)], **options).get_coverage()
    for part in folder.glob("*.json"):
        slipcover.merge_coverage(whole, json.loads(part.read_text()))
    files = {Path(name).resolve(): seen for name, seen in whole["files"].items()}
    whole["files"] = {str(path.relative_to(package)): files[path] for path in sorted(files)}
    return whole


if __name__ == "__main__":
    main()
