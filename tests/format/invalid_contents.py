"""Rows whose contents are invalid, for make_golden.py: altered, moved, not parsable, refused."""

import base64
import gzip
import json
import zlib

import msgpack
import zstandard
from cryptography.fernet import Fernet
from invalid_forms import CONTEXT, DATA, ITEM, NAMESPACE, Rows, header, seal, text

from strongroom import Codec, Keyring
from strongroom.format.envelope import build_header


def files(keys):
    """Return the lines of each file of invalid rows, by name."""
    result = {}
    for fill in (header, text, sealed, payload, refused):
        rows = Rows(keys[:2])
        fill(rows, keys)
        result[fill.__name__] = rows.lines
    return result


def sealed(rows, keys):
    """Fill in what was altered, moved or sealed under another key."""
    key_id = base64.urlsafe_b64decode(keys[1].id)
    fields = {
        "json+fernet": {"version": 15, "timestamp": 20, "IV": 30, "ciphertext": 45, "HMAC": -1},
        "json+aesgcm": {"nonce": 15, "ciphertext": 30, "tag": -1},
    }
    sizes = {"json+fernet": (0, 1, 9, 25, 26, 41, 57, 72), "json+aesgcm": (0, 1, 7, 8, 12, 27, 28)}
    for spec, places in fields.items():
        row = seal(spec, keys)
        options = {"accept": ["fernet" if spec.endswith("gcm") else "aesgcm"]}
        for what, place in places.items():
            altered = bytearray(row)
            altered[place] ^= 1
            rows.both(f"{spec}, altered {what}", "AuthenticationError", bytes(altered), spec)
        for size in (*sizes[spec], len(row) - 16):
            cut = row[: 15 + size]
            rows.both(f"{spec}, body cut to {size} bytes", "AuthenticationError", cut, spec)
        rows.both(f"{spec}, one byte more", "AuthenticationError", row + b"\0", spec)
        rows.both(f"{spec}, twice", "AuthenticationError", row + row, spec)
        other = bytes((3 - row[3],))
        swapped = row[:3] + other + row[4:]
        rows.both(f"{spec}, suite swapped", "AuthenticationError", swapped, spec, **options)
        for what, place in (("serializer", 4), ("compressor", 5)):
            altered = bytearray(row)
            altered[place] = 2
            rows.both(f"{spec}, {what} 02", "AuthenticationError", bytes(altered), spec)
        swapped = row[:6] + key_id + row[15:]
        rows.both(f"{spec}, another key's id", "AuthenticationError", swapped, spec)
        swapped = row[:6] + bytes(9) + row[15:]
        rows.both(f"{spec}, key id of zeros", "UnknownKeyError", swapped, spec)
        foreign = seal(spec, keys[2:])
        rows.both(f"{spec}, a key nobody has", "UnknownKeyError", foreign, spec)
        for namespace, context in (
            (NAMESPACE, "user-124"),
            (NAMESPACE, "User-123"),
            (NAMESPACE, CONTEXT + " "),
            ("", CONTEXT),
            ("tenant-8", CONTEXT),
            (CONTEXT, NAMESPACE),
            (NAMESPACE + CONTEXT, ""),
            (NAMESPACE + CONTEXT[:1], CONTEXT[1:]),
        ):
            moved = seal(spec, keys, place=(namespace, context))
            name = f"{spec}, from {namespace!r} {context!r}"
            rows.both(name, "AuthenticationError", moved, spec)
    token = Fernet(keys[0].to_base64()).encrypt(DATA)
    head = build_header("json", cipher="fernet", key_id=keys[0].id)
    for what, body in {
        "a token in base64": token,
        "a token under the key itself": base64.urlsafe_b64decode(token),
    }.items():
        rows.both(f"json+fernet, {what}", "AuthenticationError", head + body, "json+fernet")


def payload(rows, keys):
    """Fill in what opens, and cannot be decompressed or parsed; sealed and not."""
    for spec, kinds in CONTENTS.items():
        for what, data in kinds.items():
            head = _header(spec)
            rows.both(f"{spec}, {what}", "PayloadError", head + data, "json", max_size=10_000)
            cipher = Codec.parse("json+aesgcm", keys=Keyring(*keys)).cipher
            full = build_header(*_stages(spec), "aesgcm", keys[0].id)
            body = cipher.bind(NAMESPACE, CONTEXT).seal(data, full)
            name = f"{spec}+aesgcm, {what}"
            rows.both(name, "PayloadError", full + body, f"{spec}+aesgcm", max_size=10_000)


def _stages(spec):
    return [*spec.split("+"), None][:2]


def _header(spec):
    return build_header(*_stages(spec))


def _zstd(data, **options):
    return zstandard.ZstdCompressor(level=3, **options).compress(data)


def _raw_deflate(data):
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


def _with_dictionary(data):
    stream = zlib.compressobj(zdict=b"What is in the box?")
    return stream.compress(data) + stream.flush()


_ZLIB, _FRAME = zlib.compress(DATA), _zstd(DATA)
_TRAINED = zstandard.ZstdCompressionDict(DATA * 20, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def _ext(code, data):
    return msgpack.packb(msgpack.ExtType(code, data))


CONTENTS = {
    "json": {
        "nothing": b"",
        "not JSON": b"plainly text",
        "two documents": b"{}{}",
        "an unfinished document": DATA[:-1],
        "a byte that is not UTF-8": b'"\xff"',
        "a surrogate in UTF-8": b'"\xed\xa0\x80"',
        "an overlong encoding": b'"\xc0\xaf"',
        "UTF-16": '{"a":1}'.encode("utf-16-le"),
        "a byte order mark": b"\xef\xbb\xbf" + DATA,
        "a NUL behind it": DATA + b"\0",
        "a comment": b"[1] // one",
        "more than max_size": b'"' + b"x" * 10_000 + b'"',
    },
    "json+zlib": {
        "nothing": b"",
        "not compressed": DATA,
        "one byte more": _ZLIB + b"\0",
        "two streams": _ZLIB + _ZLIB,
        "a byte less": _ZLIB[:-1],
        "an altered checksum": _ZLIB[:-1] + bytes((_ZLIB[-1] ^ 1,)),
        "raw deflate": _raw_deflate(DATA),
        "gzip": gzip.compress(DATA, mtime=0),
        "a preset dictionary": _with_dictionary(DATA),
        "a zstd frame": _FRAME,
        "a decompression bomb": zlib.compress(bytes(1_000_000), 9),
        "a byte more than max_size": zlib.compress(b'"' + b"x" * 9_999 + b'"', 9),
    },
    "json+zstd": {
        "nothing": b"",
        "not compressed": DATA,
        "one byte more": _FRAME + b"\0",
        "two frames": _FRAME + _FRAME,
        "a byte less": _FRAME[:-1],
        "a skippable frame": bytes.fromhex("502a4d180100000000"),
        "a skippable frame before it": bytes.fromhex("502a4d180100000000") + _FRAME,
        "a skippable frame behind it": _FRAME + bytes.fromhex("502a4d180100000000"),
        "a claim of more than there is": _FRAME[:5] + bytes((_FRAME[5] + 1,)) + _FRAME[6:],
        "a dictionary": b"\x28\xb5\x2f\xfd\x21\x07" + _FRAME[5:],
        "a zlib stream": _ZLIB,
        "a decompression bomb": _zstd(bytes(1_000_000)),
        "a bomb that claims nothing": _zstd(bytes(1_000_000), write_content_size=False),
        "a byte more than max_size": _zstd(b'"' + b"x" * 9_999 + b'"'),
    },
    "msgpack": {
        "nothing": b"",
        "JSON": DATA,
        "one byte more": msgpack.packb(ITEM) + b"\xc0",
        "a byte less": msgpack.packb(ITEM)[:-1],
        "the byte C1": b"\xc1",
        "a string that is not UTF-8": b"\xa1\xff",
        "a surrogate in a string": b"\xa3\xed\xa0\x80",
        "a key that is a number": b"\x81\x01\x02",
        "a key that is bytes": b"\x81\xc4\x01a\x02",
        "a key that is a list": b"\x81\x90\x02",
        "extension 0": _ext(0, b"1"),
        "extension 4": _ext(4, b"1"),
        "its own timestamp": msgpack.packb(msgpack.Timestamp(0)),
        "a big integer that is small": _ext(1, b"12"),
        "a big integer of 64 bits": _ext(1, b"18446744073709551615"),
        "a big integer with a leading zero": _ext(1, b"018446744073709551616"),
        "a big integer with a plus sign": _ext(1, b"+18446744073709551616"),
        "a big integer with a space": _ext(1, b"18446744073709551616 "),
        "a big integer with an underscore": _ext(1, b"18_446744073709551616"),
        "no big integer": _ext(1, b"many"),
        "no surrogate": _ext(2, b"fine"),
        "a pair of surrogates": _ext(2, b"\xed\xa0\xbc\xed\xbe\x89"),
        "surrogates that are no UTF-8": _ext(2, b"\xff"),
        "a naive time": _ext(3, b"2026-11-22T14:59:25"),
        "a time in Z": _ext(3, b"2026-11-22T14:59:25Z"),
        "a time with a space": _ext(3, b"2026-11-22 14:59:25+00:00"),
        "a time with milliseconds": _ext(3, b"2026-11-22T14:59:25.500+00:00"),
        "a time on no day": _ext(3, b"2026-02-30T00:00:00+00:00"),
        "a big integer as a key": b"\x81" + _ext(1, b"18446744073709551616") + b"\x02",
        "1,025 lists": b"\x91" * 1025 + b"\xc0",
        "more than max_size": msgpack.packb("x" * 10_000),
    },
}


def refused(rows, keys):
    """Fill in what is well written, and not for this reader."""
    plain = {
        "bare JSON": DATA.decode(),
        "bare text": "hello",
        "a Fernet token": Fernet(keys[0].to_base64()).encrypt(DATA).decode(),
        "EncryptedSession's row": json.dumps(
            {
                "__enc__": 1,
                "v": 1,
                "kid": "hkdf-v1",
                "payload": Fernet(keys[0].to_base64()).encrypt(DATA).decode(),
            }
        ),
    }
    for codec in ("json+fernet", "msgpack+zstd+aesgcm"):
        for what, stored in plain.items():
            for form in (stored, stored.encode()):
                rows.bad(f"{what} for {codec}", "PlaintextRefusedError", form, codec)
        for spec in ("json", "json+zlib", "json+zstd", "msgpack"):
            head = _header(spec)
            row = head + (
                DATA if spec == "json" else Codec.parse(spec).encode(ITEM, context="")[6:]
            )
            rows.both(f"{spec} for {codec}", "PlaintextRefusedError", row, codec)
    for what in ("a Fernet token", "EncryptedSession's row"):
        rows.bad(f"{what} as plaintext", "PlaintextRefusedError", plain[what], accept=["plaintext"])
    rows.bad("bare text as plaintext", "PayloadError", "hello", accept=["plaintext"])
    rows.bad("bare text without a cipher", "PayloadError", "hello", "json")
    token = plain["a Fernet token"]
    rows.bad("a Fernet token without a cipher", "CodecNotAcceptedError", token, "json")
    for spec in ("json+fernet", "msgpack+zstd+aesgcm"):
        row = seal(spec, keys)
        rows.both(f"{spec} without a cipher", "CodecNotAcceptedError", row, "json")
        other = "json+aesgcm" if spec == "json+fernet" else "json+fernet"
        rows.both(f"{spec} for {other}", "CodecNotAcceptedError", row, other)
        rows.both(
            f"{spec} for {other} that accepts plaintext",
            "CodecNotAcceptedError",
            row,
            other,
            accept=["plaintext"],
        )
