"""Compressed data that are not what they should be, and bombs."""

from __future__ import annotations

import gzip
import zlib
from random import Random

import zstandard

from fuzzing import mutation

BOMB_SIZE = 2 * 1024 * 1024
"""How large bombs are, and the max_size of the codecs that meet them."""

_UNITS = {
    1: (
        *((b"[", b"[],", b"[]]"), (b"[", b"{},", b"{}]"), (b"[", b'"\xc4\x80",', b"0]")),
        *(
            (b"[", b'{"":0},', b"0]"),
            (b"[", b"1e5,", b"0]"),
            (b"", b"[", b""),
            (b"[", b"0,", b"0]"),
        ),
        *((b"[", b"[[]],", b"0]"), (b'"', b"a", b'"'), (b"", b" ", b"0"), (b"", b"1", b"")),
        *((b"[", b'"\\u00e9",', b"0]"), (b"[", b"70000,", b"0]"), (b'{"a":', b'{"a":', b"")),
    ),
    2: (
        *((b"\xdd", b"\x90", b""), (b"\xdd", b"\x80", b""), (b"\xdd", b"\xa2\xc4\x80", b"")),
        *((b"\xdd", b"\x81\xa0\xc0", b""), (b"\xdd", b"\xcd\xff\xff", b""), (b"", b"\x91", b"")),
        *(
            (b"\xdd", b"\xc0", b""),
            (b"\xdd", b"\x91\x90", b""),
            (b"\xdd", b"\xca\x3f\x80\x00\x00", b""),
        ),
        *((b"\xdd", b"\xc4\x01\xff", b""), (b"\xdd", b"\xd4\x01\x31", b"")),
    ),
}


def bomb(rng: Random, serializer: int) -> bytes:
    """Return a document of nearly BOMB_SIZE bytes that costs its reader as much as it can."""
    start, unit, end = rng.choice(_UNITS[serializer])
    count = (BOMB_SIZE - 16) // len(unit)
    if start == b"\xdd":
        start += count.to_bytes(4, "big")
    return start + unit * count + end


def compressed(rng: Random, compressor: int, data: bytes) -> bytes:
    """Return a stream of these data that is as it should be, or is not."""
    if compressor == 0:
        return data
    choice = rng.randrange(12)
    good = zlib.compress(data) if compressor == 1 else zstandard.ZstdCompressor().compress(data)
    if choice == 0:
        return mutation.of_bytes(rng, good)
    if choice == 1:
        return good + rng.choice((good, b"\0", b"\n", good[:4]))
    if choice == 2:
        return data
    if choice == 3:
        return _zlib_tricks(rng, data) if compressor == 1 else _zstd_tricks(rng, data)
    return good


def _zlib_tricks(rng: Random, data: bytes) -> bytes:
    choice = rng.randrange(5)
    if choice == 0:
        return gzip.compress(data, mtime=0)
    if choice == 1:
        return zlib.compress(data, wbits=-15)
    if choice == 2:
        packer = zlib.compressobj(zdict=b"role user content")
        return packer.compress(data) + packer.flush()
    if choice == 3:
        return zlib.compress(data)[:-4]
    return zlib.compress(b"") + zlib.compress(data)


def _zstd_tricks(rng: Random, data: bytes) -> bytes:
    choice = rng.randrange(7)
    if choice == 0:
        return b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"skip" + _zstd(data)
    if choice == 1:
        return _zstd(data, write_content_size=False)
    if choice == 2:
        return _zstd(data, write_checksum=True)[:-4]
    if choice == 3:
        # A window of 128 MiB, or of 2 GiB, for a few bytes.
        frame = bytearray(zstandard.ZstdCompressor(write_content_size=False).compress(data))
        frame[4:6] = bytes((frame[4] & ~0x20, rng.choice((0x88, 0xA8, 0xFF))))
        return bytes(frame)
    if choice == 4:
        # A content size that is not true.
        return (
            b"\x28\xb5\x2f\xfd\xe0"
            + (2 ** rng.choice((20, 40, 63))).to_bytes(8, "little")
            + b"\1\0\0"
        )
    if choice == 5:
        return _zstd(b"") + _zstd(data)
    used = zstandard.ZstdCompressionDict(b"role user content " * 20)
    return zstandard.ZstdCompressor(dict_data=used).compress(data)


def _zstd(data: bytes, **options: bool) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(data)
