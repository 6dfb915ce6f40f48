"""JSON by orjson, which is several times faster; what it would alter, the standard library does."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

import orjson

from strongroom.serializers.json import JsonSerializer

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

_NONCE = secrets.token_hex(16)
_TEXT_SEPARATOR = f',"{_NONCE}",'
_BYTES_SEPARATOR = _TEXT_SEPARATOR.encode()


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

    def loads_many(self, rows: Sequence[str] | Sequence[bytes], /) -> list[Item] | None:
        """Parse many JSON texts at once, or return None if they are better parsed one by one."""
        # Joined by commas alone, rows such as `1,2` or `"a` and `b"` could pass for what they are
        # not. But no row can hold the nonce, which never leaves this process. So if the result has
        # a nonce as every second of exactly 2n-1 elements, then each separator was read as just
        # that, commas included, and between two of them stands one element: one whole JSON text.
        if not rows:
            return []
        joined: str | bytes
        try:
            if isinstance(rows[0], str):
                joined = f"[{_TEXT_SEPARATOR.join(cast('Sequence[str]', rows))}]"
            else:
                joined = b"[%b]" % _BYTES_SEPARATOR.join(cast("Sequence[bytes]", rows))
            elements = orjson.loads(joined)
        except (TypeError, orjson.JSONDecodeError):  # TypeError: rows of both kinds
            return None
        nonces = len(rows) - 1
        if len(elements) != nonces + len(rows) or elements[1::2].count(_NONCE) != nonces:
            return None
        if _has_rounded(elements, joined):
            return None
        items: list[Item] = elements[::2]
        return items


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


def _has_long_number(data: bytes | str) -> bool:
    """Whether a text holds 19 digits in a row, as integers beyond 64 bits do."""
    text = data.encode() if isinstance(data, str) else data
    # Any 19 characters show six in every third; few texts pass this, and it is cheaper to look at.
    return b"0" * 6 in text[::3].translate(_DIGITS) and b"0" * 19 in text.translate(_DIGITS)
