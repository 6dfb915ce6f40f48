"""Items that serializers get wrong, and values that they have to refuse."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import uuid
from collections import OrderedDict

from strongroom.testing.values import SECRET

Colour = enum.Enum("Colour", {"RED": SECRET})
_Level = enum.IntEnum("_Level", {"LOW": 1})
_Word = enum.StrEnum("_Word", {"A": "word"})


@dataclasses.dataclass
class _Data:
    value: str = SECRET


class _Text(str):
    __slots__ = ()


KEPT = {
    "wide integers": [2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**200, -(2**63), -(2**63) - 1],
    "integers of 4300 digits": [10**4300 - 1, 1 - 10**4300],
    "NaN and the infinities": [float("nan"), float("inf"), -float("inf")],
    "negative zero": [-0.0, 0.0, 0],
    "extreme floats": [5e-324, 1.7976931348623157e308, 0.1, 1e16, float(2**64)],
    "floats that are whole": [1.0, 1, True, -2.0],
    "lone surrogates": ["\ud800", "a\udfffb", {"\ud800": "\udc00"}, "\ude00\ud83d"],
    "surrogates that make a pair": ["\ud83d\ude00", {"\ud83d\ude00": 1}],
    "beyond the basic plane": ["\U0001f600", {"\U0010ffff": "é"}],
    "control characters": ["\x00\x1f\x7f\u2028\r\n"],
    "the order of keys": {"b": 1, "a": 2, "": 3, "aa": 4, "A": 5},
    "keys that are no strings": {7: 1, True: 2, None: 3, 1.5: 4, float("nan"): 5, 2**80: 6},
    "keys that json makes equal": {"1": "first", "b": 2, 1: "last"},
    "nothing": [None, [], {}, "", [[]], {"": {}}],
    "tuples": [(1, (2, ())), {"k": ()}],
    "subclasses": [_Text("text"), _Level.LOW, _Word.A, OrderedDict(b=1, a=2)],
}

REFUSED = [
    uuid.UUID(int=0x1234),
    Colour.RED,
    dt.datetime(2024, 5, 6),
    dt.date(2024, 5, 6),
    dt.timedelta(1),
    {SECRET},
    bytearray(SECRET.encode()),
    memoryview(SECRET.encode()),
    _Data(),
    decimal.Decimal("1.5"),
    1j,
    object(),
    range(3),
]

MORE_THAN_JSON = [b"", b"\x00\xff", dt.datetime(2024, 5, 6, 7, 8, 9, 10, dt.UTC)]
