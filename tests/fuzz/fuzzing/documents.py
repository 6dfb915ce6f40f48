"""Items, and the ways in which their JSON and MessagePack can be spelled, rightly and wrongly."""

from __future__ import annotations

import json
import struct
from random import Random
from typing import Any

import msgpack

from fuzzing import mutation

SECRET = "the-safe-opens-with-8-12-40"
"""What no error may show: every item of a sealed row holds it."""

_STRINGS = (
    "",
    "x",
    "Grüße 🎉",
    "\u2028\u0000",
    "\ud800",
    "a" * 300,
    "waUBAgEA",
    "$bytes",
    "__enc__",
)
_NUMBERS = (0, -1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**60, 0.1, -0.0, 1e300, 5e-324)
_TEXTS = (
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1E5", "-0", "00", "01", "+1", ".5", "1."),
    *('"\\ud800"', '"\\ud83c\\udf89"', '"\\udf89\\ud83c"', '"\\u0000"', '"\\x41"', '"\t"', "0x10"),
    *('{"a":1,"a":2}', '{"a":1,}', "[1,]", "{'a':1}", "{1:2}", "nul", "true", "", "[]", "\ufeff[]"),
    *("[1 /*c*/]", "1 2", "1e-999", "0." + "1" * 400, "1" * 4_300, "1" * 4_301, "-" + "9" * 5_000),
)
_BYTES = (
    b"\xc1",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\xf4\x90\x80\x80",
    b"\x00",
    b"\xef\xbb\xbf",
)


def item(rng: Random) -> Any:
    """Return an item of a conversation, or another value that has the secret in it."""
    said = SECRET + rng.choice(("", " é", " 🎉", "\n" * 3, '"\\'))
    choice = rng.randrange(5)
    if choice == 0:
        return {"role": rng.choice(("user", "assistant")), "content": said}
    if choice == 1:
        return {"type": "function_call", "arguments": json.dumps({"q": said}), "call_id": "c1"}
    if choice == 2:
        return [said, value(rng)]
    if choice == 3:
        return {said: value(rng), "z": 1, "a": [said]}
    return said


def value(rng: Random, depth: int = 3) -> Any:
    """Return any value that JSON can hold."""
    choice = rng.randrange(6 if depth else 4)
    if choice == 0:
        return rng.choice(_NUMBERS)
    if choice in {1, 2}:
        return rng.choice(_STRINGS)
    if choice == 3:
        return rng.choice((None, True, False))
    if choice == 4:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {rng.choice(_STRINGS): value(rng, depth - 1) for _ in range(rng.randrange(4))}


def json_document(rng: Random) -> bytes:
    """Return a text that is JSON, or nearly."""
    text = json.dumps(item(rng), ensure_ascii=rng.random() < 0.5)
    data = text.encode("utf-8", "surrogatepass")
    choice = rng.randrange(10)
    if choice == 0:
        odd = rng.choice(_TEXTS)
        shape = rng.choice((odd, f"[{odd}]", f'{{"x":{odd},"y":{json.dumps(SECRET)}}}'))
        return shape.encode("utf-8", "surrogatepass")
    if choice == 1:
        return data + rng.choice((b" ", b"\n", b"\0", b",", b"]", b"}", data, b"\xff"))
    if choice == 2:
        return rng.choice((b" ", b"\n\t", b"\x0c", b"\xef\xbb\xbf", b"\xc2\xa0")) + data
    if choice == 3:
        place = rng.randrange(len(data) + 1)
        return data[:place] + rng.choice(_BYTES) + data[place:]
    if choice == 4:
        wide = rng.choice(("utf-16", "utf-16-le", "utf-32-be", "utf-8-sig", "latin-1", "utf-7"))
        return text.encode(wide, "replace")
    if choice == 5:
        depth = rng.choice((400, 499, 990, 1_024, 1_025, 3_000, 100_000))
        opening, closing = rng.choice((("[", "]"), ('{"a":', "}")))
        return (opening * depth + json.dumps(SECRET) + closing * depth).encode()
    if choice == 6:
        return mutation.of_bytes(rng, data)
    return data


def msgpack_document(rng: Random) -> bytes:
    """Return a document that is MessagePack, or nearly."""
    choice = rng.randrange(8)
    if choice == 0:
        return mutation.of_bytes(rng, _packed(rng, item(rng)))
    if choice == 1:
        depth = rng.choice((511, 512, 1_023, 1_024, 1_025, 5_000))
        opening = rng.choice((b"\x91", b"\x81\xa1a", b"\xdc\x00\x01", b"\x81\x90"))
        return opening * depth + _packed(rng, SECRET)
    if choice == 2:
        return _packed(rng, item(rng)) + rng.choice((b"\0", b"\xc1", _packed(rng, item(rng))))
    if choice == 3:
        return b"\x92" + _packed(rng, SECRET) + _extension(rng)
    if choice == 4:
        # A length that is not true.
        lie = rng.choice(
            (b"\xdd\xff\xff\xff\xff", b"\xdf\x7f\xff\xff\xff", b"\xdb\xff\xff\xff\xff")
        )
        return rng.choice(
            (lie, b"\xdc\x00\x05", b"\x9f", b"\x8f", b"\xc6\x7f\xff\xff\xff")
        ) + _packed(rng, item(rng))
    if choice == 5:
        key = rng.choice(
            (b"\x01", b"\xc0", b"\xc4\x01a", b"\x90", b"\x80", b"\xcb" + bytes(8), _extension(rng))
        )
        return b"\x82\xa1a" + _packed(rng, SECRET) + key + b"\x01"
    return _packed(rng, item(rng))


def _packed(rng: Random, found: Any) -> bytes:
    """Return a value in MessagePack, each part in any of its spellings."""
    if isinstance(found, str):
        data = found.encode("utf-8", "surrogatepass")
        size = len(data)
        forms = [b"\xdb" + size.to_bytes(4, "big"), b"\xda" + size.to_bytes(2, "big")]
        forms += [b"\xd9" + bytes((size,))] if size < 256 else []
        forms += [bytes((0xA0 | size,))] * 3 if size < 32 else []
        return rng.choice(forms) + data
    if isinstance(found, list):
        size = len(found)
        start = rng.choice((bytes((0x90 | size,)), b"\xdc" + size.to_bytes(2, "big")))
        return start + b"".join(_packed(rng, part) for part in found)
    if isinstance(found, dict):
        size = len(found)
        start = rng.choice((bytes((0x80 | size,)), b"\xdf" + size.to_bytes(4, "big")))
        return start + b"".join(_packed(rng, part) for pair in found.items() for part in pair)
    if isinstance(found, int) and not isinstance(found, bool) and not -(2**63) <= found < 2**64:
        digits = str(found).encode()
        return b"\xc7" + bytes((len(digits), 1)) + digits
    if isinstance(found, float) and rng.random() < 0.2:
        return b"\xca" + struct.pack(">f", 0.0 if abs(found) > 1 else found)
    packed: bytes = msgpack.packb(found)
    return packed


_CONTENTS = {
    1: (
        b"18446744073709551616",
        b"+1",
        b"01",
        b"1",
        b"-0",
        b" 1",
        b"1_0",
        b"9" * 250,
        b"",
        b"\xff",
    ),
    2: (b"\xed\xa0\x80", b"abc", b"\xed\xa0\x80\xed\xb0\x80", b"\xff", b"", b"\xf0\x9f\x8e\x89"),
    3: (
        *(
            b"2026-01-02T03:04:05+00:00",
            b"2026-01-02T03:04:05.000000+00:00",
            b"2026-01-02T03:04:05Z",
        ),
        *(b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59-23:59", b"2026-01-02 03:04:05+00:00"),
        *(b"20260102T030405+0000", b"2026-01-02", b"2026-W01-1", b"2026-13-01T00:00:00+00:00", b""),
        *(b"2026-01-02T03:04:05+24:00", b"2026-01-02T03:04:05.1+00:00", b"\xd9\xa1" * 12),
    ),
}


def _extension(rng: Random) -> bytes:
    code = rng.choice((1, 2, 3, 0, 4, 127, 0xFF, 0x80))
    content = rng.choice(_CONTENTS.get(code, (b"", b"\0", bytes(4), bytes(12))))
    return b"\xc7" + bytes((len(content), code)) + content


def cbor_document(rng: Random) -> bytes:
    """Return an item in CBOR, which no serializer of strongroom writes."""
    text = SECRET.encode()
    size = bytes((0x78, len(text)))
    start = rng.choice((b"\xa1\x64role", b"\xd9\xd9\xf7\xa1\x64role", b"\x9f", b"\xbf\x61a"))
    return start + size + text + rng.choice((b"", b"\xff"))


def plain_json(found: Any) -> bytes:
    """Return an item in JSON."""
    return json.dumps(found).encode()


def plain_msgpack(found: Any) -> bytes:
    """Return an item in MessagePack."""
    packed: bytes = msgpack.packb(found)
    return packed
