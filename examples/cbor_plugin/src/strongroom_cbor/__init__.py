"""The serializer ``cbor`` for strongroom: CBOR (RFC 8949), by cbor2.

CBOR has integers of any size, NaN, the infinities and -0.0 itself. It has no
text with lone surrogates: that is a byte string in WTF-8 under tag 273, which is registered for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any, ClassVar

import cbor2

from strongroom import EncodeError, Item, JsonSerializer, PayloadError

__all__ = ["CborSerializer"]

WTF_8 = 273
"""The tag of text with lone surrogates: https://www.iana.org/assignments/cbor-tags."""
MAX_DEPTH = 1000
"""How many lists and maps stand inside each other at most; deeper items are not written."""

_JSON = JsonSerializer()
_WIDEST = 10**4300
_LEAVES = frozenset({str, float, bool, type(None)})


@dataclass(frozen=True, kw_only=True)
class CborSerializer:
    """Stores exactly what json can store, in fewer bytes."""

    name: ClassVar[str] = "cbor"

    def dumps(self, item: Item, /) -> bytes:
        """Serialize; raises EncodeError with the path of what json refuses."""
        if _is_plain(item):
            try:
                return cbor2.dumps(item)
            except UnicodeEncodeError:
                pass
        # Tuples, subclasses, keys that are no strings and pairs of surrogates become what json
        # makes of them. A value that json refuses is an EncodeError with its path.
        item = _JSON.loads(_JSON.dumps(item))
        if not _is_plain(item):  # cbor2 itself ends the process over 50,000 levels
            raise EncodeError("cannot store $: it is nested too deeply", path="$")
        return cbor2.dumps(item, encoders={str: _write_text})

    def loads(self, data: bytes, /) -> Item:
        """Parse one CBOR document of ours; raises PayloadError for anything else."""
        source = BytesIO(data)
        decoder = cbor2.CBORDecoder(source, tag_hook=_read_text, max_depth=MAX_DEPTH)
        try:
            item = decoder.decode()
        except Exception:  # whatever cbor2 raises: some of it holds the document
            item = cbor2.undefined
        # cbor2 also reads times, sets, and lists that hold themselves, none of which we write. No
        # value of ours takes less than a byte, which is what ends the walk through a circle.
        if source.tell() != len(data) or not _is_plain(item, most=len(data)):
            raise PayloadError("not one whole CBOR document of ours")
        return item


def _is_plain(item: Item, *, most: float = float("inf")) -> bool:
    """Return whether an item has JSON's base types alone, few enough values, and few levels."""
    level, count = [item], 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            kind = type(value)
            if kind is dict:
                if not all(type(key) is str for key in value):
                    return False
                below += value.values()
            elif kind is list:
                below += value
            elif kind is int:
                if not -_WIDEST < value < _WIDEST:
                    return False
            elif kind not in _LEAVES:
                return False
            if count + len(below) > most:
                return False
        if not below:
            return True
        count += len(below)
        level = below
    return False


def _write_text(encoder: cbor2.CBOREncoder, text: str) -> None:
    try:
        encoder.write(cbor2.dumps(text))
    except UnicodeEncodeError:
        encoder.write(cbor2.dumps(cbor2.CBORTag(WTF_8, text.encode("utf-8", "surrogatepass"))))


def _read_text(tag: cbor2.CBORTag, immutable: bool) -> Any:
    """Read what _write_text has tagged; any other tag stays one, and is refused."""
    if tag.tag != WTF_8 or not isinstance(tag.value, bytes):
        return tag
    text = tag.value.decode("utf-8", "surrogatepass")
    return text if any("\ud800" <= character <= "\udfff" for character in text) else tag
