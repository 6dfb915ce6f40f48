"""MessagePack, which alone of the serializers also takes bytes and timezone-aware datetimes.

The row format has three extension types of ours, each in one canonical form:

====  ==========================================================================================
code  data
====  ==========================================================================================
1     an integer beyond 64 bits, in ASCII decimal
2     a string with lone surrogates, in UTF-8 that encodes those as well; also as a key of a map
3     an aware datetime in ISO 8601, as ``datetime.isoformat`` writes it
====  ==========================================================================================

Keys of maps are strings. Any other extension type, msgpack's own timestamp included, is refused.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import msgpack

from strongroom.codec.serializers._msgpack_count import count_values
from strongroom.codec.serializers._plain import LIST, MAP, Walk
from strongroom.errors import PayloadError

if TYPE_CHECKING:
    from strongroom.protocols import Item

BIG_INTEGER = 1
"""Extension code of an integer beyond 64 bits: ASCII decimal."""
LONE_SURROGATES = 2
"""Extension code of a string with lone surrogates: UTF-8 with surrogatepass."""
DATETIME = 3
"""Extension code of an aware datetime: ISO 8601 in ASCII."""
MAX_DEPTH = 1024
"""How many levels of lists and maps msgpack's reader takes; deeper items are not written."""

# unpackb lets bytes be keys and returns timestamps. Most documents hold neither bytes nor extension
# types, which these limits make sure of; any other document is walked. Below zero, as zero would
# let b"" through, and not -1, which stands for no limit.
_NONE = -2
# The parser makes room for as many values as an array claims to have, and a document may claim a
# thousand times what it has bytes for, one array inside the other. These cost little.
_SHORT_ARRAY = 1024
_MALFORMED = (TypeError, ValueError, OverflowError, RecursionError, MemoryError)
_CONTAINERS = frozenset({dict, list, tuple})
_LEAVES = frozenset({int, float, bool, type(None), bytes, dt.datetime})


@dataclass(frozen=True, kw_only=True)
class MsgpackSerializer:
    """MessagePack with extension types for what it cannot represent itself."""

    name: ClassVar[str] = "msgpack"

    def dumps(self, item: Item, /) -> bytes:
        """Serialize; raises EncodeError with the path of what cannot be stored."""
        try:
            data: bytes = msgpack.packb(item, default=_extension)
        except (TypeError, ValueError, OverflowError):
            pass
        else:
            # Only now: having been written, the item is neither circular nor deep.
            if _is_plain(item):
                return data
        return _write(item)

    def loads(self, data: bytes, /) -> Item:
        """Parse one MessagePack document; raises PayloadError for anything else."""
        try:
            return msgpack.unpackb(
                data, max_bin_len=_NONE, max_ext_len=_NONE, max_array_len=_SHORT_ARRAY
            )
        except _MALFORMED:
            pass  # or it holds bytes, an extension type or a long array
        fault = "malformed, truncated, or followed by other data"
        if len(data) <= _SHORT_ARRAY or count_values(data, len(data)) is not None:
            try:
                item = msgpack.unpackb(data, ext_hook=_restore)
            except _MALFORMED:
                pass
            else:
                if _is_plain(item):
                    return item
                fault = "it holds what strongroom does not write"
        raise PayloadError(f"not a MessagePack document of ours: {fault}")

    def count_values(self, data: bytes, most: int, /) -> int:
        """Return the number of values in a document; it may stop counting above ``most``."""
        return count_values(data, most) or 0  # loads refuses what cannot be counted


def _is_plain(item: Item) -> bool:
    """Tell whether an item has base types alone, bytes and datetimes included, and str keys.

    It is not nested beyond MAX_DEPTH either: packb goes one level deeper than unpackb.
    """
    level, depth = [item], 0
    try:
        while level:
            below: list[Any] = []
            for node in level:
                kind = type(node)
                if kind is str:
                    continue
                if kind is dict:
                    "".join(node)  # the fastest way to see that every key is a str
                    below += node.values()
                elif kind is list or kind is tuple:
                    below += node
                elif kind not in _LEAVES:
                    return False
            if depth == MAX_DEPTH and any(type(node) in _CONTAINERS for node in level):
                return False
            level, depth = below, depth + 1
    except TypeError:
        return False
    return True


def _write(item: Item) -> bytes:
    """Write any item that can be stored: slower than packb, but deeper, and json's conversions."""
    packer = msgpack.Packer(autoreset=False)
    walk = Walk(item, also=(bytes, dt.datetime), never=(msgpack.ExtType,), max_depth=MAX_DEPTH)
    for part, value in walk:
        if part is MAP:
            packer.pack_map_header(value)
        elif part is LIST:
            packer.pack_array_header(value)
        elif isinstance(value, str):
            text, is_valid = _text(value)
            if is_valid:
                packer.pack(text)
            else:
                packer.pack_ext_type(LONE_SURROGATES, text.encode("utf-8", "surrogatepass"))
        elif isinstance(value, dt.datetime):
            written = _instant(value)
            if written is None:
                problem = "has no timezone" if value.utcoffset() is None else "is too exact"
                raise walk.refuse(f"a value of type {type(value).__name__} that {problem}")
            packer.pack_ext_type(DATETIME, written)
        elif isinstance(value, int) and not -(2**63) <= value < 2**64:
            packer.pack_ext_type(BIG_INTEGER, b"%d" % value)
        else:
            packer.pack(value)
    result: bytes = packer.bytes()
    return result


def _extension(value: object) -> Any:
    """Write what packb cannot, where that takes no more than an extension type."""
    if type(value) is int:
        return msgpack.ExtType(BIG_INTEGER, str(value).encode())
    written = _instant(value) if type(value) is dt.datetime else None
    if written is None:
        raise TypeError
    return msgpack.ExtType(DATETIME, written)


def _restore(code: int, data: bytes) -> Item:
    """Read an extension type of ours in its canonical form."""
    value: Item = None
    try:
        if code == BIG_INTEGER:
            value = int(data)
            canonical = str(value).encode() == data and not -(2**63) <= value < 2**64
        elif code == LONE_SURROGATES:
            value = data.decode("utf-8", "surrogatepass")
            canonical = _text(value) == (value, False)
        elif code == DATETIME:
            value = _read_instant(data.decode("ascii"))
            canonical = _instant(value) == data
        else:
            canonical = False
    except ValueError:
        canonical = False
    if not canonical:
        raise PayloadError(f"not a MessagePack document of ours: extension type {code}")
    return value


def _text(value: str) -> tuple[str, bool]:
    """Join surrogates that are pairs, as json does; also tell if UTF-8 can encode the result."""
    try:
        value.encode()
    except UnicodeEncodeError:
        joined = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return joined, not any("\ud800" <= character <= "\udfff" for character in joined)
    return value, True


def _instant(value: dt.datetime) -> bytes | None:
    """Write an aware datetime; None if it is naive, or more exact than ISO 8601 can tell."""
    if value.utcoffset() is None:
        return None
    written = dt.datetime.isoformat(value)
    # Not read == value: a time that occurs twice, when clocks go back, equals none in another zone.
    is_same_time = _read_instant(written).replace(tzinfo=None) == value.replace(tzinfo=None)
    return written.encode() if is_same_time else None


def _read_instant(text: str) -> dt.datetime:
    """Read what isoformat wrote; fromisoformat itself drops an offset of less than a second."""
    sign = max(text.rfind("+"), text.rfind("-"))
    offset = dt.datetime.combine(dt.date.min, dt.time.fromisoformat(text[sign + 1 :]))
    size = offset - dt.datetime.min
    zone = dt.timezone(-size if text[sign] == "-" else size)
    return dt.datetime.fromisoformat(text[:sign]).replace(tzinfo=zone)
