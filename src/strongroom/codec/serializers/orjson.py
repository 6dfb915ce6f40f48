"""JSON by orjson, which is several times faster; what it would alter, the standard library does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import orjson

from strongroom.codec.serializers._json_count import count_values
from strongroom.codec.serializers.json import JsonSerializer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.protocols import Item

_OPTIONS = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
_EXACT = JsonSerializer(ensure_ascii=False)
_LEAVES = frozenset({int, bool, type(None)})
_INFINITY = float("inf")

_WIDE = float(2**63)
_DIGITS = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))


@dataclass(frozen=True, kw_only=True)
class OrjsonSerializer:
    """Compact JSON in UTF-8; reads and writes the same wire format as JsonSerializer."""

    name: ClassVar[str] = "orjson"

    def dumps(self, item: Item, /) -> bytes:
        """Serialize; raises EncodeError with the path of what json refuses."""
        try:
            data = orjson.dumps(item, option=_OPTIONS)
        except orjson.JSONEncodeError:
            pass
        else:
            # Only now: having been written, the item is neither circular nor deep.
            if _is_plain(item):
                return data
        return _EXACT.dumps(item)

    def loads(self, data: bytes | str, /) -> Item:
        """Parse one JSON text; raises NotJSONError, or PayloadError for depth and digits."""
        try:
            item = orjson.loads(data)
        except orjson.JSONDecodeError:
            pass
        else:
            if not _has_rounded(item, data):
                return item
        return _EXACT.loads(data)

    def count_values(self, data: bytes | str, most: int, /) -> int:
        """Return the number of values in a JSON text; it may stop counting above ``most``."""
        return count_values(data, most)

    def loads_many(self, rows: Sequence[str] | Sequence[bytes], /) -> list[Item] | None:
        """Parse many JSON texts, or return None if they are better parsed one by one."""
        try:
            items: list[Item] = list(map(orjson.loads, rows))
        except (TypeError, orjson.JSONDecodeError):
            return None
        return None if _has_wide_float(items) else items


def _is_plain(item: Item) -> bool:
    """Whether orjson wrote what json would: base types alone, and finite floats."""
    pending = [item]
    for node in pending:  # it grows while it is walked
        kind = type(node)
        if kind is str:
            continue
        if kind is dict:
            pending += node.values()  # orjson itself refuses keys other than str
        elif kind is list or kind is tuple:
            pending += node
        elif kind is float:
            if not -_INFINITY < node < _INFINITY:
                return False
        elif kind not in _LEAVES:
            return False
    return True


def _has_rounded(item: Item, data: bytes | str) -> bool:
    """Whether orjson may have read an integer beyond 64 bits as a float."""
    patience = 64 + len(data) // 256  # with more values than that, look at the text first
    pending = [item]
    for node in pending:
        kind = type(node)
        if kind is str:
            continue
        if kind is dict:
            pending += node.values()
        elif kind is list:
            pending += node
        else:
            if kind is float and not -_WIDE < node < _WIDE:
                return True
            continue
        if len(pending) > patience:
            if not _has_long_number(data):
                return False
            patience = len(data)  # more values than that there cannot be
    return False


def _has_wide_float(items: list[Item]) -> bool:
    """Whether there is a float among decoded values that may have been a wide integer."""
    pending = list(items)
    for node in pending:
        kind = type(node)
        if kind is str:
            continue
        if kind is dict:
            pending += node.values()
        elif kind is list:
            pending += node
        elif kind is float and not -_WIDE < node < _WIDE:
            return True
    return False


def _has_long_number(data: bytes | str) -> bool:
    """Whether a text holds 19 digits in a row, as integers beyond 64 bits do."""
    text = data.encode() if isinstance(data, str) else data
    # Any 19 characters show six in every third; few texts pass this, and it is cheaper to look at.
    return b"0" * 6 in text[::3].translate(_DIGITS) and b"0" * 19 in text.translate(_DIGITS)
