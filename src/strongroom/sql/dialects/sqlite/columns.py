"""The columns of SQLite's tables, which hold values of every type."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    not_,
    type_coerce,
)
from sqlalchemy.types import NullType

from strongroom.protocols import Stored
from strongroom.sql import raw_ids
from strongroom.sql.dialects.base.columns import StoreColumns
from strongroom.sql.rows import PREFIX_SIZE

_DATE, _TIME = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]", "[0-9][0-9]:[0-9][0-9]:[0-9][0-9]"


class SQLiteColumns(StoreColumns):
    """Values and session ids are read as blobs: a text that is not UTF-8 fails in the driver."""

    steps_to_distinct = True

    # Times ----------------------------------------------------------------------------------------

    def utc(self, time: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the text of a time, always with microseconds; SQLite's clock is in UTC."""
        zeros = case((_part(time, 20, 1) == _text("."), _text("000000")), else_=_text(".000000"))
        whole = _part(time.op("||")(zeros), 1, 26)
        return case((self._is_time(time), whole))

    @staticmethod
    def _is_time(time: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that a value is a time as SQLite and SQLAlchemy write it."""
        seconds = _part(time, 1, 19)
        return and_(
            func.typeof(time) == _text("text"),
            time.op("GLOB")(_text(f"{_DATE} {_TIME}*")),
            seconds >= _text("0001"),
            # A day that its month does not have becomes another one.
            func.datetime(seconds, _text("+0 days")) == seconds,
            _part(time, 20, 1).in_([_text(""), _text(".")]),
            not_(_part(time, 21).op("GLOB")(_text("*[^0-9]*"))),
            # Text behind a NUL is not seen by all of the above.
            func.length(time) == func.length(cast(time, LargeBinary)),
        )

    def bind_time(self, time: dt.datetime) -> Any:
        """Return the text of a time, with microseconds."""
        return f"{time.replace(tzinfo=None).isoformat(' ', 'microseconds')}"

    # Values ---------------------------------------------------------------------------------------

    def data(self) -> ColumnElement[Any]:
        """Return the value's bytes."""
        return cast(self.messages.c.message_data, LargeBinary)

    def size_and_prefix(self) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """Return size and beginning of the value's bytes."""
        data = self.data()
        return func.length(data), func.substr(data, 1, literal_column(str(PREFIX_SIZE)))

    def stored(self, raw: Any) -> Stored:
        """Return text from a text column, unless it is no text."""
        data = bytes(raw)
        try:
            return data.decode() if self.is_text else data
        except UnicodeDecodeError:
            return data

    def prefix(self, raw: Any) -> Stored:
        """Return text from a text column; its last character may have been cut."""
        data = bytes(raw or b"")  # the beginning of an empty blob is NULL
        return data.decode(errors="replace") if self.is_text else data

    # Session ids ----------------------------------------------------------------------------------

    def key(self, session_id: str) -> Any:
        """Return a session id, or an expression for one that the driver cannot bind as text."""
        if raw_ids.is_text(session_id):
            return super().key(session_id)
        raw = literal(raw_ids.to_bytes(session_id), LargeBinary)
        return raw if raw_ids.is_blob(session_id) else cast(raw, Text)

    def name(self, session_id: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the bytes of a text, and the hexadecimal digits of anything else."""
        is_text = func.typeof(session_id) == _text("text")
        read = case((is_text, cast(session_id, LargeBinary)), else_=func.hex(session_id))
        return type_coerce(read, NullType()).label("session_id")

    def text(self, session_id: str | bytes) -> str:
        """Return a session id that was read by ``name``."""
        if isinstance(session_id, str):
            return raw_ids.of_blob(bytes.fromhex(session_id))
        return raw_ids.of_text(session_id)


def _text(text: str) -> ColumnElement[Any]:
    """Return a text that is spelled out in the statement."""
    return literal_column(f"'{text}'")


def _part(text: ColumnElement[Any], *span: int) -> ColumnElement[Any]:
    return func.substr(text, *(literal_column(str(number)) for number in span))
