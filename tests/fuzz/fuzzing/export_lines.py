"""Lines of exports, rightly and wrongly written, and a second reader of them."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from random import Random
from typing import Any

from fuzzing import documents, mutation
from fuzzing.good_rows import good_item
from fuzzing.sealing import CONTEXT
from fuzzing.tables import OTHER

GIVEN = "the-line-holds-8-12-40"
"""A text in most lines; the message of no error may show it."""

_IDS = (CONTEXT, CONTEXT, CONTEXT, OTHER, "new", "Über 🎉", "a" * 3_000, " ", "$bytes")
_ODD_IDS = ("", "\0", "a\0b", "\ud800", None, 1, ["x"], {"$bytes": "YQ=="}, True)
_TIMES = (
    *(
        "2026-01-31T12:00:00.123456+00:00",
        "2026-01-31T12:00:00+05:30",
        "2026-01-31T12:00:00Z",
        None,
    ),
    *("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00", "1969-12-31T23:59:59-01:00"),
)
_ODD_TIMES = (
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-31T12:00:00", "soon", ""),
    *(
        0,
        1.5,
        True,
        [],
        {"$datetime": "2026-01-31T12:00:00Z"},
        "2026-01-31",
        "2026-02-30T00:00:00Z",
    ),
    *(
        "2026-01-31T12:00:00+24:00",
        "20260131T120000+0000",
        "2026-W05-6T12:00:00+00:00",
        "\u0662026",
    ),
)
_TAGGED = (
    *({"$bytes": "YQ=="}, {"$bytes": "YR=="}, {"$bytes": "Y Q=="}, {"$bytes": 1}, {"$bytes": ""}),
    *({"$datetime": "2026-01-31T12:00:00Z"}, {"$datetime": "soon"}, {"$datetime": None}),
    *(
        {"$$bytes": "x"},
        {"$$$datetime": [1]},
        {"$bytes": "YQ==", "x": 1},
        {"$": 1},
        {"$$bytes": {"$bytes": "!"}},
    ),
    *({"$datetime": "0001-01-01T00:00:00+23:59"}, {"$bytes": "\u00e9"}, [{"$bytes": ["YQ=="]}]),
)
_BLANK = (
    "",
    " ",
    "\t",
    "\r",
    "\n",
    "\ufeff",
    "\u2028",
    "null",
    "[]",
    "{}",
    '{"item":1}',
    "\x1f",
    "\x85",
)


def lines(rng: Random) -> list[str]:
    """Return the lines of an import."""
    return [_line(rng, number) for number in range(rng.randrange(1, 7))]


def _line(rng: Random, number: int) -> str:
    choice = rng.randrange(24)
    if choice == 0:
        return rng.choice(_BLANK)
    record: dict[str, Any] = {
        "session_id": rng.choice(_IDS),
        "created_at": rng.choice(_TIMES),
        "item": good_item(number) if rng.random() < 0.3 else {"content": GIVEN, "n": _value(rng)},
    }
    if choice == 1:
        record["session_id"] = rng.choice(_ODD_IDS)
    elif choice == 2:
        record["created_at"] = rng.choice(_ODD_TIMES)
    elif choice == 3:
        del record[rng.choice(sorted(record))]
    elif choice == 4:
        record["more"] = _value(rng)
    text = json.dumps(record, ensure_ascii=rng.random() < 0.8)
    if choice == 5:
        data = mutation.of_bytes(rng, text.encode("utf-8", "surrogatepass"))
        return data.decode("utf-8", rng.choice(("replace", "surrogateescape")))
    if choice == 6:
        return (
            rng.choice(("\ufeff", " ", "")) + text + rng.choice(("\r", "\n", " x", text, ",", "\0"))
        )
    if choice == 7:
        depth = rng.choice((100, 400, 499, 1_000, 1_100, 20_000))
        return text[:-1] + f', "item": {"[" * depth}"{GIVEN}"{"]" * depth}}}'
    if choice == 8:
        odd = documents.json_document(rng).decode("utf-8", "surrogateescape")
        return text[:-1] + f', "item": {odd}}}'
    if choice == 9:
        return text.replace("$", "\\u0024")
    return text


def _value(rng: Random) -> Any:
    tagged = rng.random() < 0.3
    return rng.choice(_TAGGED) if tagged else documents.value(rng)


# A second reader, written from the description of the lines --------------------------------------


def read(line: str) -> tuple[str, dt.datetime | None, Any]:
    """Return session id, time and item of a line; ValueError for what is none."""
    record = json.loads(line)
    if not isinstance(record, dict) or not isinstance(record.get("session_id"), str):
        raise ValueError("no record")
    session_id, created = record["session_id"], record.get("created_at")
    session_id.encode()
    if not session_id or "\0" in session_id or "item" not in record:
        raise ValueError("no session id, or no item")
    return session_id, None if created is None else _time(created), _untagged(record["item"])


def _time(text: Any) -> dt.datetime:
    time = dt.datetime.fromisoformat(text) if isinstance(text, str) else None
    if time is None or time.utcoffset() is None:
        raise ValueError("no time")
    return time


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(part) for part in value]
    if not isinstance(value, dict):
        return value
    (only,) = value if len(value) == 1 else (None,)
    if only == "$bytes":
        return base64.b64decode(value[only].encode("ascii"), validate=True)
    if only == "$datetime":
        return _time(value[only])
    if only is not None and re.fullmatch(r"\$+(bytes|datetime)", only):
        return {only[1:]: _untagged(value[only])}
    return {key: _untagged(part) for key, part in value.items()}
