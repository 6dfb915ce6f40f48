"""Rows whose form is invalid, for make_golden.py: their header, or their text."""

import base64
import json

from strongroom import Codec, Keyring
from strongroom.format.envelope import to_text

NAMESPACE, CONTEXT = "tenant-7", "user-123"
ITEM = {"role": "user", "content": "What is in the box?"}
DATA = json.dumps(ITEM).encode()
HEADER = bytes.fromhex("c1a501")


class Rows:
    """Collects lines."""

    def __init__(self, keys):
        self.keys = keys
        self.lines = []

    def bad(self, name, error, stored, codec="json+aesgcm", **options):
        """Add a row that has to be refused: binary, or text if it is a str."""
        form = {"text": stored} if isinstance(stored, str) else {"binary": stored.hex()}
        self.lines.append(
            {
                "name": name,
                "error": error,
                "codec": codec,
                "accept": [],
                "max_size": 1 << 20,
                "namespace": NAMESPACE,
                "context": CONTEXT,
                "published_test_keys": [key.to_base64() for key in self.keys],
            }
            | options
            | form
        )

    def both(self, name, error, row, *arguments, **options):
        """Add a row in both forms."""
        self.bad(f"{name}, binary", error, row, *arguments, **options)
        self.bad(f"{name}, text", error, to_text(row), *arguments, **options)


def seal(spec, keys, item=ITEM, place=(NAMESPACE, CONTEXT)):
    return Codec.parse(spec, keys=Keyring(*keys)).encode(item, context=place[1], namespace=place[0])


def header(rows, keys):
    """Fill in what is wrong in front of the body."""
    plain = bytes.fromhex("c1a501000100") + DATA
    for size in range(2, 6):
        rows.both(f"unsealed, truncated to {size} bytes", "EnvelopeError", plain[:size], "json")
    for spec in ("json+fernet", "json+aesgcm"):
        row = seal(spec, keys)
        for size in (*range(2, 7), 14):
            rows.both(f"{spec}, truncated to {size} bytes", "EnvelopeError", row[:size], spec)
        for place, what, numbers in (
            (2, "version", (0, 2, 0x41, 0xFF)),
            (3, "suite", (3, 0x7F, 0xFE)),
            (4, "serializer", (0, 3, 0xFE)),
            (5, "compressor", (3, 0xFE)),
        ):
            for number in numbers:
                altered = row[:place] + bytes((number,)) + row[place + 1 :]
                rows.both(f"{spec}, {what} {number:02x}", "EnvelopeError", altered, spec)
        rows.bad(f"{spec}, magic c0a5", "PlaintextRefusedError", b"\xc0" + row[1:], spec)
        rows.bad(f"{spec}, magic c1a4", "PlaintextRefusedError", b"\xc1\xa4" + row[2:], spec)
    key_id = base64.urlsafe_b64decode(keys[0].id)
    kinds = {
        "suite": b"\xff\x01\x00",
        "serializer": b"\x02\xff\x00",
        "compressor": b"\x02\x01\xff",
    }
    names = {
        "missing": b"",
        "empty": b"\x00",
        "truncated": b"\x05abc",
        "of 65 characters": b"\x41" + b"a" * 65,
        "in upper case": b"\x03Abc",
        "with a space": b"\x03a c",
        "with a newline behind it": b"\x04abc\n",
        "not ASCII": b"\x02\xc3\xa9",
    }
    for kind, ids in kinds.items():
        for what, name in names.items():
            end = b"" if what in {"missing", "truncated"} else key_id + bytes(40)
            rows.both(f"{kind} name {what}", "EnvelopeError", HEADER + ids + name + end)
        name = b"\x05no-ne" + key_id + bytes(40)
        rows.both(f"{kind} nobody knows", "CodecNotAcceptedError", HEADER + ids + name)
    for kind, built_in in (
        ("suite", ("fernet", "aesgcm")),
        ("serializer", ("json", "orjson", "msgpack")),
        ("compressor", ("zlib", "zstd")),
    ):
        for stage in built_in:
            name = bytes((len(stage),)) + stage.encode() + key_id + bytes(40)
            rows.both(f"{stage} spelled out", "EnvelopeError", HEADER + kinds[kind] + name)
    truncated = HEADER + b"\xff\x01\x00\x03abc" + key_id[:8]
    rows.both("third-party suite, truncated key id", "EnvelopeError", truncated)


def text(rows, keys):
    """Fill in what is wrong with a text form: a lax base64 decoder would read most of these."""
    for spec in ("json+fernet", "json+aesgcm", "json+zlib"):
        wanted = [0, 1] if spec != "json+fernet" else [1, 2]
        for rest in wanted:
            row = _row_with(spec, keys, rest)
            form = to_text(row)
            label = f"{spec}, {len(form) % 4} characters over"
            if rest:
                pad = "=" * (-len(form) % 4)
                rows.bad(f"{label}, padded", "EnvelopeError", form + pad, spec)
                last = _ALPHABET[_ALPHABET.index(form[-1]) + 1]
                other = form[:-1] + last
                rows.bad(f"{label}, spare bits set", "EnvelopeError", other, spec)
            else:
                rows.bad(f"{label}, one more character", "EnvelopeError", form + "A", spec)
            for what, altered in {
                "+ for -": form.replace("-", "+"),
                "/ for _": form.replace("_", "/"),
                "a newline behind it": form + "\n",
                "a newline within": form[:30] + "\n" + form[30:],
                "a carriage return within": form[:30] + "\r\n" + form[30:],
                "a space within": form[:30] + " " + form[30:],
                "a NUL behind it": form + "\0",
                "= within": form[:28] + "=" + form[28:],
                "== behind it": form + "==",
                "a stray character": form[:30] + "!" + form[30:],
                "a letter that is not ASCII": form[:30] + "é" + form[31:],
                "a full-width digit": form[:30] + "\uff11" + form[31:],
            }.items():
                rows.bad(f"{label}, {what}", "EnvelopeError", altered, spec)
    form = to_text(_row_with("json+aesgcm", keys, 0))
    for what, altered in {
        "a space before it": " " + form,
        "a newline before it": "\n" + form,
        "its first letter in upper case": "W" + form[1:],
        "only two characters": "wa",
        "nothing": "",
    }.items():
        rows.bad(what, "PlaintextRefusedError", altered)
    rows.bad("only three characters", "EnvelopeError", "waU")
    rows.bad("three characters with spare bits", "EnvelopeError", "waV")


_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _row_with(spec, keys, rest):
    """Return a row of 3n + rest bytes whose text has both characters that alphabets differ in."""
    for size in range(2000):
        item = ITEM | {"x": "".join(chr(33 + size * 7 % 89 + i % 3) for i in range(size % 97))}
        if spec.endswith("zlib"):
            row = Codec.parse(spec).encode(item, context=CONTEXT, namespace=NAMESPACE)
        else:
            row = seal(spec, keys, item)
        if len(row) % 3 == rest and {"-", "_"} <= set(to_text(row)):
            return row
    raise AssertionError(f"no row of {spec}")
