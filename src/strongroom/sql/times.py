"""Times between drivers and the library."""

from __future__ import annotations

import datetime as dt

_EPOCH = dt.datetime(1970, 1, 1)
_EPOCH_UTC = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

NO_TIME = -(2**63)
"""Microseconds for a value that is no time: before all times."""


def to_utc(value: object) -> dt.datetime | None:
    """Return a time that a driver returned, in UTC; None for a value that is no time."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, dt.datetime):
        return None
    try:
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
    except OverflowError:  # the first or last day of the calendar, in another zone
        return None


def to_micros(value: object) -> int:
    """Return a naive time in UTC, or its text, as microseconds since 1970; else NO_TIME."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            return NO_TIME
        if value.tzinfo is not None:
            return NO_TIME
    if not isinstance(value, dt.datetime):
        return NO_TIME
    return (value.replace(tzinfo=None) - _EPOCH) // _MICROSECOND


def aware_to_micros(value: dt.datetime) -> int:
    """Return an aware time as microseconds since 1970."""
    return (value - _EPOCH_UTC) // _MICROSECOND


def from_micros(micros: int) -> dt.datetime:
    """Return microseconds since 1970 as a naive time in UTC."""
    return _EPOCH + dt.timedelta(microseconds=micros)


def micros_to_utc(micros: int) -> dt.datetime | None:
    """Return microseconds since 1970 as an aware time; None beyond the calendar."""
    try:
        return _EPOCH_UTC + dt.timedelta(microseconds=micros)
    except OverflowError:
        return None
