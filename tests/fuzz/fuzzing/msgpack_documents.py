"""Items in MessagePack, in every spelling, rightly and wrongly written."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import msgpack

from fuzzing import mutation
from fuzzing.documents import SECRET, item


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


def plain_msgpack(found: Any) -> bytes:
    """Return an item in MessagePack."""
    packed: bytes = msgpack.packb(found)
    return packed
