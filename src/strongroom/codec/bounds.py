"""The bounds of what a codec reads and writes, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.errors import ConfigurationError

MAX_SIZE = 64 * 1024 * 1024
"""The default of ``max_size``."""
_SIZE_PER_VALUE = 8
MAX_VALUES = MAX_SIZE // _SIZE_PER_VALUE
"""The default of ``max_values``, for the default of ``max_size``."""
MAX_TOTAL = 512 * 1024 * 1024
"""The least default of ``max_total``."""
VALUE_BYTES = 64
"""How many bytes of ``max_total`` a value takes at least: about what it takes in memory."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many bytes and values a row holds at most, and how many bytes one call decodes."""

    size: int
    values: int
    total: int


def resolve(max_size: object, max_values: object, max_total: object) -> Bounds:
    """Return the bounds that these arguments stand for, None standing for the default.

    A value takes a byte at least, so there are never more values than bytes. Raises
    ConfigurationError for an argument that is no number above 0, and for a total that does
    not have room for one row.
    """
    size = _number("max_size", "bytes", max_size)
    if max_values is not None:
        values = min(size, _number("max_values", "values", max_values))
    else:
        values = max(1, size // _SIZE_PER_VALUE)
        if max_total is not None:
            values = min(values, max(1, _number("max_total", "bytes", max_total) // VALUE_BYTES))
    one_row = max(size, VALUE_BYTES * values)
    total = (
        max(MAX_TOTAL, one_row) if max_total is None else _number("max_total", "bytes", max_total)
    )
    if total < one_row:
        raise ConfigurationError(
            f"max_total is {total}, and one row of max_size and max_values may take {one_row} "
            f"bytes ({VALUE_BYTES} for each value): raise max_total, or lower the others."
        )
    return Bounds(size, values, total)


def _number(name: str, unit: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"{name} is a number of {unit} above 0.")
    return value
