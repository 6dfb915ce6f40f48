"""Measure which lines and branches of strongroom each Python process runs: see ``run.py``.

Python imports this when it starts, where this folder is on the PYTHONPATH. A process leaves what it
has measured in the folder that STRONGROOM_COVERAGE names, beside SlipCover's options.
"""

from __future__ import annotations

import json
import os
from typing import Any


def _start(folder: str, options: dict[str, Any]) -> None:
    import atexit
    import importlib.util
    import multiprocessing.util
    import uuid
    from pathlib import Path

    import slipcover

    spec = importlib.util.find_spec("strongroom")
    assert spec is not None
    assert spec.origin is not None
    package = str(Path(spec.origin).parent)
    measured = slipcover.Slipcover(**options)
    slipcover.ImportManager(measured, slipcover.FileMatcher(sources=[package])).__enter__()

    def write() -> None:
        os.chdir("/")  # a test may have removed the folder that it ran in
        found = measured.get_coverage()
        found["files"] = {str(Path(name).resolve()): seen for name, seen in found["files"].items()}
        Path(folder, f"{uuid.uuid4().hex}.json").write_text(json.dumps(found))

    def write_in_the_end(_: object) -> None:
        multiprocessing.util.Finalize(None, write, exitpriority=0)

    atexit.register(write)
    # A process that multiprocessing has forked does not run what is registered with atexit.
    multiprocessing.util.register_after_fork(measured, write_in_the_end)


if "STRONGROOM_COVERAGE" in os.environ:
    _start(*json.loads(os.environ["STRONGROOM_COVERAGE"]))
