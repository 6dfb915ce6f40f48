"""Values of every kind that the columns of each database take."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from hypothesis import strategies as st

GOOD = ("a-good", "zz-good")
"""The neighbours: one session before most others, and one behind them."""


@dataclass(frozen=True)
class Cell:
    """A value in SQL, and the text or the time that it is; None if it cannot be read."""

    sql: str
    value: str | dt.datetime | None = None
    shown: str = ""


@dataclass(frozen=True)
class OddSession:
    """A session with a row of its own (or without), and rows that hold no item of its codec."""

    id: Cell
    created: Cell
    updated: Cell
    row_time: Cell
    values: tuple[str, ...]
    is_registered: bool = True


def _as_text(data: bytes) -> str | None:
    """Return the session id that bytes are, None if no session can have it."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _id(sql: str, data: bytes) -> Cell:
    shown = data.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    return Cell(sql.format(data.hex()), _as_text(data), shown)


def _blob(data: bytes) -> Cell:
    return Cell(f"x'{data.hex()}'", None, f"x'{data.hex()}'")


_bytes = st.binary(min_size=1, max_size=6)
_utf8 = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
_some_utf8 = _utf8.filter(bool).map(str.encode)
_odd_bytes = st.sampled_from([b"\xff", b"a\xff", b"z\xfe\xff", b"zz\x00", b"\xed\xa0\x80", b"\xc3"])

# SQLite: every storage class in every column -----------------------------------------------------

_sqlite_ids = st.one_of(
    (_bytes | _odd_bytes | _some_utf8).map(lambda data: _id("CAST(x'{}' AS TEXT)", data)),
    _bytes.map(_blob),
)
_sqlite_junk = st.one_of(
    st.sampled_from(["''", "x''", "0", "-1", "1e999", "'[1]'", "x'ff'", "CAST(x'ff' AS TEXT)"]),
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.binary(max_size=6).map(lambda data: f"x'{data.hex()}'"),
    st.binary(max_size=6).map(lambda data: f"CAST(x'{data.hex()}' AS TEXT)"),
)
_sqlite_times = st.one_of(
    _sqlite_junk.map(Cell),
    st.sampled_from(
        ["2026-02-31 12:00:00", "0000-01-01 00:00:00", "2026-01-31 12:00:00+02:00", "2026-01-31"]
    ).map(lambda text: Cell(f"'{text}'")),
    st.datetimes().map(lambda time: Cell(f"'{time}'", time)),
)

# PostgreSQL: times of 4713 BC to 294276 ----------------------------------------------------------


def _postgresql_time(year: int) -> Cell:
    if 1 <= year <= 9999:
        return Cell(f"TIMESTAMP '{year:04}-03-15 12:00:00.5'", dt.datetime(year, 3, 15, 12))
    text = f"{1 - year:04}-03-15 BC" if year < 1 else f"{year}-03-15"
    return Cell(f"TIMESTAMP '{text}'")


_postgresql_ids = _some_utf8.map(
    lambda data: _id("convert_from(decode('{}', 'hex'), 'UTF8')", data)
)
_postgresql_times = st.one_of(
    st.integers(-4000, 294275).map(_postgresql_time),
    st.integers(-50, 10100).map(_postgresql_time),
    st.sampled_from(
        [
            Cell("TIMESTAMP '0044-03-15 BC'"),
            Cell("TIMESTAMP '4000-01-01 BC'"),
            Cell("TIMESTAMP '294276-12-31 23:59:59.999999'"),
            Cell("TIMESTAMP 'infinity'", dt.datetime.max),
            Cell("TIMESTAMP '-infinity'", dt.datetime.min),
        ]
    ),
)

# MySQL and MariaDB: ids are bytes, and days that no calendar has ---------------------------------


def _mysql_time(year: int, month: int, day: int) -> Cell:
    try:
        time = dt.datetime(year, month, day, 12)
    except ValueError:
        time = None
    return Cell(f"'{year:04}-{month:02}-{day:02} 12:00:00'", time)


_mysql_ids = (_bytes | _odd_bytes | _some_utf8).map(lambda data: _id("x'{}'", data))
_mysql_times = st.one_of(
    st.builds(_mysql_time, st.integers(0, 9999), st.integers(0, 12), st.integers(0, 31)),
    st.just(Cell("'0000-00-00 00:00:00'")),
)


def _hex_value(column_type: str, as_text: str, as_bytes: str) -> st.SearchStrategy[str]:
    if column_type == "binary":
        return st.binary(max_size=6).map(lambda data: as_bytes.format(data.hex()))
    return _utf8.map(lambda text: as_text.format(text.encode().hex()))


def odd_sessions(dialect: str, column_type: str) -> st.SearchStrategy[list[OddSession]]:
    """Return lists of odd sessions for a database."""
    if dialect == "sqlite":
        ids, times, junk = _sqlite_ids, _sqlite_times, _sqlite_junk
    elif dialect == "postgresql":
        ids, times = _postgresql_ids, _postgresql_times
        text = "convert_from(decode('{}', 'hex'), 'UTF8')"
        junk = _hex_value(column_type, text, "decode('{}', 'hex')")
    else:
        ids, times = _mysql_ids, _mysql_times
        junk = _hex_value(column_type, "CONVERT(x'{}' USING utf8mb4)", "x'{}'")
    one = st.builds(
        OddSession,
        id=ids.filter(lambda cell: cell.value not in {*GOOD, "new", "forked"}),
        created=times,
        updated=times,
        row_time=times,
        values=st.lists(junk, max_size=3).map(tuple),
        is_registered=st.booleans() if dialect == "sqlite" else st.just(True),
    )
    return st.lists(one, max_size=4, unique_by=lambda session: session.id.sql)
