"""How golden files are read: JSON Lines, one row a line."""

import base64
import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import ClassVar

from strongroom.errors import AuthenticationError

FOLDER = Path(__file__).parent / "golden" / "v1"


def lines(path):
    """Return a golden file's lines; a file that is missing is a failure, never made here."""
    assert path.exists(), f"the golden file {path} is missing: restore it from version control"
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def to_json(item):
    """Write bytes and datetimes as JSON can."""
    if isinstance(item, bytes):
        return {"$bytes": item.hex()}
    if isinstance(item, dt.datetime):
        return {"$datetime": item.isoformat()}
    if isinstance(item, dict):
        return {key: to_json(value) for key, value in item.items()}
    return [to_json(value) for value in item] if isinstance(item, list) else item


def from_json(item):
    """Undo ``to_json``."""
    if isinstance(item, dict):
        if "$bytes" in item:
            return bytes.fromhex(item["$bytes"])
        if "$datetime" in item:
            return dt.datetime.fromisoformat(item["$datetime"])
        return {key: from_json(value) for key, value in item.items()}
    return [from_json(value) for value in item] if isinstance(item, list) else item


def key_bytes(line):
    """Return the keys that a line publishes."""
    return [base64.urlsafe_b64decode(key) for key in line["published_test_keys"]]


# Third-party stages, as simple as can be. As ciphers go this one is for tests only.


class HexSerializer:
    """JSON in hexadecimal."""

    name: ClassVar[str] = "test-hex"

    def dumps(self, item):
        return json.dumps(item).encode().hex().encode()

    def loads(self, data):
        return json.loads(bytes.fromhex(data.decode()))


class ReverseCompressor:
    """Reverses the bytes, and makes them no fewer."""

    name: ClassVar[str] = "test_reverse"

    def compress(self, data):
        return data[::-1]

    def decompress(self, data, *, max_size):
        return data[::-1]


class ChecksumCipher:
    """SHA-256 of the payload and the payload, each byte of it XOR 5A; no key, so its id is 0."""

    name: ClassVar[str] = "test-checksum-1"

    def bind(self, namespace, context):
        return self

    def seal(self, payload, header):
        return hashlib.sha256(payload).digest() + bytes(byte ^ 0x5A for byte in payload)

    def open(self, body, header=b""):
        payload = bytes(byte ^ 0x5A for byte in body[32:])
        if hashlib.sha256(payload).digest() != body[:32]:
            raise AuthenticationError("another checksum")
        return payload


THIRD_PARTY = (HexSerializer(), ReverseCompressor(), ChecksumCipher())
