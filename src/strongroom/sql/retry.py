"""The bounded time in which an operation is tried again."""

from __future__ import annotations

import time

from strongroom.errors import ConflictError

RETRY_SECONDS = 60.0
"""How long an operation goes on trying while other writers win."""


class Deadline:
    """The end of the time in which an operation that others outrun is tried again."""

    def __init__(self) -> None:
        self._end = time.monotonic() + RETRY_SECONDS

    @property
    def is_over(self) -> bool:
        """True if it has been tried long enough."""
        return time.monotonic() > self._end

    def check(self) -> None:
        """Raise ConflictError if it has been tried long enough."""
        if self.is_over:
            raise ConflictError(
                f"Other writers kept changing the session for {RETRY_SECONDS:.0f} seconds; "
                f"nothing was changed: try again."
            )
