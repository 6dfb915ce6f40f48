"""Times and ages on the command line."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated

import typer

from strongroom.cli.errors import CommandError
from strongroom.cli.exit_codes import USAGE

_AGE = re.compile(r"(\d+)([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

TimeOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="A time (2026-01-31, or with T12:00+01:00; UTC unless it "
        "says) or an age (90m, 12h, 30d, 2w).",
    ),
]


def parse_time(text: str | None) -> dt.datetime | None:
    """Return the time that an option names; raises CommandError if it names none."""
    if text is None:
        return None
    age = _AGE.fullmatch(text)
    try:
        if age:
            return dt.datetime.now(dt.UTC) - dt.timedelta(**{_UNITS[age[2]]: int(age[1])})
        time = dt.datetime.fromisoformat(text)
        return time.astimezone(dt.UTC) if time.tzinfo else time.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError):
        raise CommandError(
            f"{text!r} is no time: 2026-01-31, 2026-01-31T12:00Z or 30d.", USAGE
        ) from None
