"""Items, and their JSON, rightly and wrongly written."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from fuzzing import mutation

SECRET = "the-safe-opens-with-8-12-40"
"""A text in the item of every sealed row; no error may show it."""

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


def cbor_document(rng: Random) -> bytes:
    """Return an item in CBOR, which no serializer of strongroom writes."""
    text = SECRET.encode()
    size = bytes((0x78, len(text)))
    start = rng.choice((b"\xa1\x64role", b"\xd9\xd9\xf7\xa1\x64role", b"\x9f", b"\xbf\x61a"))
    return start + size + text + rng.choice((b"", b"\xff"))


def plain_json(found: Any) -> bytes:
    """Return an item in JSON."""
    return json.dumps(found).encode()
