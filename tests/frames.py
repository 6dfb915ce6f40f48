"""Telling the library's frames in a traceback from those of the tests."""

from __future__ import annotations

import traceback
from pathlib import Path

import strongroom

PACKAGE = Path(strongroom.__file__).parent


def is_ours(frame: traceback.FrameSummary) -> bool:
    """Return whether the library runs in the frame, wherever it and the tests lie."""
    return Path(frame.filename).is_relative_to(PACKAGE)
