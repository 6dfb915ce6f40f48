"""Seals rows as docs/row-format.md says, with nonces from the seed: a case can be repeated."""

from __future__ import annotations

import base64
import hashlib
import zlib
from functools import lru_cache
from random import Random

import zstandard
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"\xc1\xa5"
SUITES = {"": 0, "fernet": 1, "aesgcm": 2}
SERIALIZERS = {"json": 1, "orjson": 1, "msgpack": 2}
COMPRESSORS = {"": 0, "zlib": 1, "zstd": 2}

KEYS = tuple(bytes(range(start, start + 32)) for start in (0, 32, 64))
"""The published test keys of the golden files."""
UNKNOWN = hashlib.sha256(b"a key that no keyring of the fuzzer holds").digest()
NAMESPACE, CONTEXT = "tenant-7", "user-123"


def hkdf(key: bytes, info: bytes, size: int = 32) -> bytes:
    """Return HKDF-SHA256 of a key, without salt."""
    return HKDF(hashes.SHA256(), size, None, info).derive(key)


@lru_cache(maxsize=64)
def key_id(key: bytes) -> bytes:
    """Return the nine bytes of a key's id."""
    return hkdf(key, b"strongroom key id v1", 9)


def lp(text: str) -> bytes:
    """Return a text behind its length."""
    data = text.encode()
    return len(data).to_bytes(4, "big") + data


def header(suite: int, serializer: int, compressor: int, key: bytes = KEYS[0]) -> bytes:
    """Return the header of a row."""
    return MAGIC + bytes((1, suite, serializer, compressor)) + (key_id(key) if suite else b"")


def seal(
    head: bytes,
    data: bytes,
    rng: Random,
    *,
    key: bytes = KEYS[0],
    namespace: str = NAMESPACE,
    context: str = CONTEXT,
) -> bytes:
    """Return the row with this header and this data, under a key."""
    if head[3] not in {1, 2}:
        return head + data
    binding = head + lp(namespace) + lp(context)
    subkey = hkdf(key, b"strongroom v1" + binding)
    if head[3] == 2:
        nonce = rng.randbytes(12)
        return head + nonce + AESGCM(subkey).encrypt(nonce, data, binding)
    return head + base64.urlsafe_b64decode(fernet_token(subkey, data, rng))


def fernet_token(key: bytes, data: bytes, rng: Random) -> bytes:
    """Return a Fernet token of these data."""
    fernet = Fernet(base64.urlsafe_b64encode(key))
    return fernet._encrypt_from_parts(data, 1_795_000_000, rng.randbytes(16))


def subkey_infos(namespace: str = NAMESPACE, context: str = CONTEXT) -> list[bytes]:
    """Return the infos of the subkeys of one context, for each choice of built-in stages."""
    return [
        b"strongroom v1" + header(suite, serializer, compressor) + lp(namespace) + lp(context)
        for suite in (1, 2)
        for serializer in (1, 2)
        for compressor in (0, 1, 2)
    ]


def compress(compressor: int, data: bytes) -> bytes:
    """Return data as a compressor of this id makes them."""
    if compressor == 1:
        return zlib.compress(data)
    return zstandard.ZstdCompressor().compress(data) if compressor == 2 else data


def to_text(row: bytes) -> str:
    """Return the text form of an envelope; other rows are text already."""
    if row[:2] != MAGIC:
        return row.decode("utf-8", "surrogateescape")
    return base64.urlsafe_b64encode(row).decode().rstrip("=")
