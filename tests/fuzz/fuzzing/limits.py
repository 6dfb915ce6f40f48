"""How much time and memory one case may take.

Time is the processor's, so that a busy machine makes no findings. Memory is the growth of what the
process holds at its peak, which Linux tells; elsewhere it is not bounded.
"""

from __future__ import annotations

import contextlib
import gc
import time
from pathlib import Path

from fuzzing.findings import MEMORY, TIME, Finding

SECONDS = 3.0
SPARE_BYTES = 8 * 1024 * 1024
TIMES_MAX_SIZE = 64
"""A decoded row may take so many times the codec's max_size, which bounds its bytes.

The default of max_values, an eighth of max_size, allows about 24 times. The check of a case
compares and prints what it decoded, which takes as much again.
"""

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class Usage:
    """Measures from when it is made."""

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            _CLEAR.write_text("5", "ascii")  # sets the peak to what is held now
        self._held = _peak()
        self._started = time.process_time()

    def check(self, max_size: int) -> None:
        """Raise a Finding if the case took too much."""
        seconds = time.process_time() - self._started
        grown = _peak() - self._held
        if seconds > SECONDS:
            raise Finding(TIME, f"{seconds:.1f} s of processor time", ["time"])
        if grown > SPARE_BYTES + TIMES_MAX_SIZE * max_size:
            detail = f"{grown >> 20} MiB with a max_size of {max_size / 2**20:g} MiB"
            raise Finding(MEMORY, detail, ["memory"])


def settle() -> None:
    """Give back what earlier cases left, before a measurement is repeated."""
    gc.collect()


def _peak() -> int:
    try:
        text = _STATUS.read_bytes()
    except OSError:
        return 0
    start = text.find(b"VmHWM:")
    return int(text[start + 6 :].split(None, 1)[0]) * 1024 if start >= 0 else 0
