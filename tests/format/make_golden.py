"""Writes the golden files of version 1 of the row format. They are law: only a new version of the
format, or rows of a kind that was missing, is a reason to run this.

    python tests/format/make_golden.py                 writes the files that are missing
    python tests/format/make_golden.py --regenerate    overwrites those that are there, too

Rows are sealed at random, so every file that it writes has other rows than before.
"""

import argparse
import datetime as dt
import itertools
import json

import invalid_contents
from golden_files import (
    FOLDER,
    ChecksumCipher,
    HexSerializer,
    ReverseCompressor,
    to_json,
)

from strongroom import AesGcmCipher, Codec, JsonSerializer, Key, Keyring, ZlibCompressor
from strongroom.format.envelope import column_text

KEYS = [Key(bytes(range(start, start + 32))) for start in (0, 32, 64)]
RING = Keyring(*KEYS)
PLACES = [("", "user-123"), ("tenant/é", "sesión 🎉"), ("", ""), ("a" * 300, " \u0000x ")]
"""Namespaces and contexts."""

ITEMS = {
    "ASCII chat": {"role": "user", "content": "What is in the box?"},
    "not ASCII": {"role": "assistant", "content": "Grüße, Привет, 你好, 🎉, \u2028, \u0000"},
    "big integers": [2**63 - 1, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**40, 0, -1],
    "floats": [0.0, -0.0, 1.5, 1e300, 5e-324, 0.1, 3.0],
    "not finite": [float("nan"), float("inf"), float("-inf")],
    "lone surrogates": {"\ud800": "\udfff alone", "x": ["\udc00\ud800", "\ud83c\udf89 is 🎉"]},
    "order and odd keys": {"b": 1, "a": 2, "": None, "__enc__": 1, "C1A5": True, '"\\/': False},
    "nested": json.loads('{"a":[' * 60 + "[]" + "]}" * 60),
    "repetitive": {"type": "message", "content": "again and again " * 40},
    "a string": "waUBAAEA",
    "nothing": None,
}
MSGPACK_ITEMS = {
    "bytes": {"audio": bytes(range(0, 256, 5)), "empty": b""},
    "aware datetimes": [
        dt.datetime(2026, 11, 22, 14, 59, 25, tzinfo=dt.UTC),
        dt.datetime(1, 1, 1, 0, 0, 0, 7, tzinfo=dt.timezone(dt.timedelta(hours=-5, minutes=-30))),
        dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.timezone(dt.timedelta(seconds=3661))),
    ],
}


def valid_files():
    """Return the lines of each file of valid rows, by name."""
    files = {}
    parts = itertools.product(
        ("json", "orjson", "msgpack"), ("", "+zlib", "+zstd"), ("", "+fernet", "+aesgcm")
    )
    for spec in map("".join, parts):
        keys = RING if spec.endswith(("fernet", "aesgcm")) else None
        items = ITEMS | (MSGPACK_ITEMS if spec.startswith("msgpack") else {})
        files[spec] = rows(Codec.parse(spec, keys=keys), items)
    # A reader also takes what no writer of ours writes: bare JSON with a header.
    files["json"] += rows(Codec(JsonSerializer()), {"a header in front of JSON": [1]}, bare=False)
    files["json+aesgcm"] += rows(
        Codec.parse("json+aesgcm", keys=Keyring(KEYS[2], KEYS[0])), {"another key of the ring": 2}
    )
    files["third-party"] = [
        line
        for codec in (
            Codec(HexSerializer()),
            Codec(JsonSerializer(), compressor=ReverseCompressor()),
            Codec(HexSerializer(), compressor=ReverseCompressor(), cipher=ChecksumCipher()),
            Codec(HexSerializer(), compressor=ZlibCompressor(), cipher=AesGcmCipher(RING)),
            Codec(JsonSerializer(), cipher=ChecksumCipher()),
        )
        for line in rows(codec, {f"{codec.spec}": ITEMS["not ASCII"]})
    ]
    return files


def rows(codec, items, *, bare=True):
    """Return a line for each item, in turn for each of the places."""
    lines = []
    for (name, item), (namespace, context) in zip(items.items(), itertools.cycle(PLACES)):
        row = codec.encode(item, context=context, namespace=namespace)
        row = row if bare else b"\xc1\xa5\x01\x00\x01\x00" + row
        lines.append(
            {
                "name": name,
                "item": to_json(item),
                "namespace": namespace,
                "context": context,
                "published_test_keys": [key.to_base64() for key in KEYS],
                "binary": row.hex(),
                "text": column_text(row),
            }
        )
    return lines


def write(folder, files, *, regenerate):
    """Write files of JSON Lines; say what happened to each."""
    folder.mkdir(parents=True, exist_ok=True)
    refused = 0
    for name, lines in files.items():
        path = folder / f"{name}.jsonl"
        if path.exists() and not regenerate:
            print(f"{path} is there, and is left as it is")
            refused += 1
            continue
        print(f"{path}: writes {len(lines)} rows")
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), "ascii")
    return refused


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--regenerate", action="store_true", help="overwrite the files")
    regenerate = parser.parse_args(arguments).regenerate
    refused = write(FOLDER / "valid", valid_files(), regenerate=regenerate)
    refused += write(FOLDER / "invalid", invalid_contents.files(KEYS), regenerate=regenerate)
    if refused:
        print(f"{refused} files were not overwritten; --regenerate does.")
    return 1 if refused else 0


if __name__ == "__main__":
    raise SystemExit(main())
