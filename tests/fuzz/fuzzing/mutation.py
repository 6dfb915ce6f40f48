"""Changes of bytes, of base64url and of headers that know what they change."""

from __future__ import annotations

from random import Random

from fuzzing.sealing import KEYS, UNKNOWN, key_id

_NAMES = (b"json", b"orjson", b"fernet", b"zlib", b"test-hex", b"x", b"UPPER", b"a\x00b", b"\xff")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_STRANGE = (
    "=",
    "==",
    "+",
    "/",
    " ",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "A",
    "\u00e9",
    "\uff21",
    "\u200b",
    ".",
)


def of_bytes(rng: Random, data: bytes) -> bytes:
    """Return data with one change, or a few."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = rng.choice(_BYTES)(rng, data)
    return data


def _flip(rng: Random, data: bytes) -> bytes:
    if not data:
        return b"\0"
    place = rng.randrange(len(data))
    return data[:place] + bytes((data[place] ^ 1 << rng.randrange(8),)) + data[place + 1 :]


def _set(rng: Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + bytes((rng.choice((0, 1, 0x7F, 0x80, 0xC1, 0xFF)),)) + data[place + 1 :]


def _cut(rng: Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _behead(rng: Random, data: bytes) -> bytes:
    return data[rng.randrange(len(data) + 1) :]


def _extend(rng: Random, data: bytes) -> bytes:
    return data + rng.choice((b"\0", b"\n", b" ", b"}", rng.randbytes(rng.randrange(1, 40)), data))


def _insert(rng: Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.randrange(1, 5)) + data[place:]


def _delete(rng: Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + data[place + rng.randrange(1, 17) :]


def _move(rng: Random, data: bytes) -> bytes:
    first, second, third = sorted(rng.randrange(len(data) + 1) for _ in range(3))
    return data[:first] + data[second:third] + data[first:second] + data[third:]


_BYTES = (_flip, _flip, _set, _cut, _behead, _extend, _insert, _delete, _move)


def of_text(rng: Random, text: str) -> str:
    """Return a text form with one change that a lax decoder of base64 would not see, or would."""
    choice = rng.randrange(9)
    place = rng.randrange(len(text) + 1)
    if choice == 0:
        return text + rng.choice(("=", "==", "A", "AA", "AAA", "AAAA", "\n", " ", "\0"))
    if choice == 1:
        return text[:place] + rng.choice(_STRANGE) + text[place:]
    if choice == 2 and text:
        # The bits of the last character that belong to no byte.
        last = _ALPHABET.find(text[-1])
        return text[:-1] + _ALPHABET[(last + rng.choice((1, 2, 3, 4, 8, 15))) % 64]
    if choice == 3:
        return text.replace("-", "+").replace("_", "/")
    if choice == 4:
        return text[:place] + text[place + 1 :]
    if choice == 5:
        return text[:place]
    if choice == 6:
        return text[:place] + rng.choice(_ALPHABET) + text[place + 1 :]
    if choice == 7:
        return "wa" + rng.choice("UVWXT9") + text[3:]
    return rng.choice((" ", "\ufeff", "\n")) + text


def of_header(rng: Random, row: bytes) -> bytes:
    """Return a row whose header says something else, about the same body."""
    choice = rng.randrange(6)
    sealed = len(row) > 3 and row[3] != 0
    if choice == 0:
        return row[:2] + bytes((rng.choice((0, 2, 3, 0x7F, 0xFF)),)) + row[3:]
    if choice in {1, 2}:
        place = rng.choice((3, 4, 5))
        return row[:place] + bytes((rng.choice((0, 1, 2, 3, 0x80, 0xFE, 0xFF)),)) + row[place + 1 :]
    if choice == 3 and sealed:
        other = rng.choice((*map(key_id, KEYS), key_id(UNKNOWN), bytes(9), b"\xff" * 9))
        return row[:6] + other + row[15:]
    if choice == 4:
        names = b"".join(_name(rng) for _ in range(rng.randrange(1, 4)))
        stages = rng.sample((3, 4, 5), rng.randrange(1, 4))
        fixed = bytes(
            0xFF if place in stages else row[place] for place in range(3, min(6, len(row)))
        )
        return row[:3] + fixed + names + row[6:]
    return rng.choice((b"\xc1\xa5", b"\xc1\xa6\x01", b"\xc1\xa8\x01", b"\xc1", b"")) + row[2:]


def _name(rng: Random) -> bytes:
    name = rng.choice((*_NAMES, bytes(rng.choice(b"abc-_09") for _ in range(rng.randrange(70)))))
    length = rng.choice((len(name), len(name), 0, 1, 64, 65, 255))
    return bytes((length % 256,)) + name
