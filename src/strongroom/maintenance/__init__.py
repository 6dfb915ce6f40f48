"""Work over a whole store: checking it, rewriting it in place, moving it.

Everything here is flat in memory, may be killed at any point and started again, and knows the
store's codec, not the hooks of a session's subclass.
"""

from strongroom.maintenance.adopt import AdoptReport, adopt
from strongroom.maintenance.copy import CopyReport, copy
from strongroom.maintenance.copy_check import Mismatch
from strongroom.maintenance.progress import Progress
from strongroom.maintenance.recode import RecodeReport, recode
from strongroom.maintenance.report import Failure
from strongroom.maintenance.reset import ResetReport, reset
from strongroom.maintenance.verify import VerifyReport, verify

__all__ = [
    "AdoptReport",
    "CopyReport",
    "Failure",
    "Mismatch",
    "Progress",
    "RecodeReport",
    "ResetReport",
    "VerifyReport",
    "adopt",
    "copy",
    "recode",
    "reset",
    "verify",
]
