"""What agents remember, generated: items in the shapes of the Responses API, the same every time.

``items(shape, count)`` returns the first ``count`` items of a shape, drawn with a fixed seed:

- ``chat``: short questions, and answers of one or several paragraphs;
- ``tools``: function calls with arguments, and their outputs: 1 to 50 KB of JSON;
- ``reasoning``: summaries, and encrypted content, which does not compress;
- ``languages``: chat in German, Chinese, Japanese and Arabic, with emoji;
- ``images``: messages that hold an image of 1 MB as base64;
- ``mix``: of 1,000 items 390 chat, 370 tools, 140 reasoning, 99 languages and one image.

The prose compresses as real prose does: see ``prose.py``, which says how that was checked. What an
identifier, a hash or an image looks like to a compressor is what random hexadecimal digits and
base64 look like.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import Any

import prose

SEED = 20261101
IMAGE_BYTES = 750_000  # 1 MB of base64
Item = dict[str, Any]


def items(shape: str, count: int) -> list[Item]:
    """Return the first items of a shape."""
    known = _known(shape)
    while len(known[1]) < count:
        known[1].extend(islice(known[0], max(count - len(known[1]), 16)))
    return known[1][:count]


@cache
def _known(shape: str) -> tuple[Iterator[Item], list[Item]]:
    return SHAPES[shape](random.Random(f"{SEED} {shape}")), []


def _chat(random_: random.Random, languages: tuple[str, ...] = ("english",)) -> Iterator[Item]:
    while True:
        language = random_.choice(languages)
        scale = 0.4 if language in {"chinese", "japanese"} else 1.0
        question = int(scale * min(20 + random_.expovariate(1 / 90), 600))
        answer = int(scale * min(60 + random_.expovariate(1 / 420), 4000))
        yield {"role": "user", "content": prose.text(random_, question, language)}
        yield _answer(random_, prose.text(random_, answer, language))


def _answer(random_: random.Random, text: str) -> Item:
    return {
        "id": _id(random_, "msg"),
        "content": [{"annotations": [], "text": text, "type": "output_text", "logprobs": []}],
        "role": "assistant",
        "status": "completed",
        "type": "message",
    }


def _tools(random_: random.Random) -> Iterator[Item]:
    names = ("search_orders", "read_file", "query_database", "get_weather", "list_tickets")
    while True:
        call = _id(random_, "call", 24)
        arguments = {
            "query": prose.text(random_, random_.randint(10, 120)),
            "limit": random_.choice((10, 20, 50)),
            "include_archived": random_.random() < 0.3,
            "after": _time(random_),
        }
        yield {
            "arguments": json.dumps(arguments),
            "call_id": call,
            "name": random_.choice(names),
            "type": "function_call",
            "id": _id(random_, "fc"),
            "status": "completed",
        }
        size = int(1000 * 50 ** random_.random())  # as many from 1 to 7 KB as from 7 to 50
        yield {"call_id": call, "output": _output(random_, size), "type": "function_call_output"}


def _output(random_: random.Random, size: int) -> str:
    """Return JSON of about this size: rows of a table, as tools return them."""
    rows: list[Item] = []
    length = 0
    while length < size:
        row = {
            "id": random_.randint(10_000, 9_999_999),
            "uuid": f"{random_.getrandbits(128):032x}",
            "status": random_.choice(("open", "closed", "pending", "shipped", "cancelled")),
            "customer": {
                "name": prose.text(random_, 14).title(),
                "email": f"user{random_.randint(1, 9999)}@example.com",
                "vip": random_.random() < 0.1,
            },
            "amount": round(random_.lognormvariate(4, 1), 2),
            "score": random_.random(),
            "tags": random_.sample(("new", "urgent", "gift", "export", "fragile", "b2b"), 2),
            "created_at": _time(random_),
            "note": prose.text(random_, random_.randint(10, 160))
            if random_.random() < 0.5
            else None,
        }
        rows.append(row)
        length += len(json.dumps(row)) + 2
    return json.dumps({"total": len(rows) * 3, "rows": rows})


def _reasoning(random_: random.Random) -> Iterator[Item]:
    while True:
        summary = [
            {"text": prose.text(random_, random_.randint(80, 500)), "type": "summary_text"}
            for _ in range(random_.randint(0, 3))
        ]
        secret = random_.randbytes(random_.randint(600, 4500))
        yield {
            "id": _id(random_, "rs", 48),
            "summary": summary,
            "type": "reasoning",
            "encrypted_content": "gAAAAA" + base64.urlsafe_b64encode(secret).decode(),
        }


def _languages(random_: random.Random) -> Iterator[Item]:
    for item in _chat(random_, ("german", "chinese", "japanese", "arabic")):
        if "id" not in item and random_.random() < 0.5:
            item["content"] += " " + random_.choice(prose.EMOJI)
        yield item


def _images(random_: random.Random) -> Iterator[Item]:
    while True:
        image = base64.b64encode(random_.randbytes(IMAGE_BYTES)).decode()
        yield {
            "role": "user",
            "content": [
                {"type": "input_text", "text": prose.text(random_, 80)},
                {
                    "type": "input_image",
                    "detail": "auto",
                    "image_url": f"data:image/jpeg;base64,{image}",
                },
            ],
        }


def _mix(random_: random.Random) -> Iterator[Item]:
    sources = {
        name: SHAPES[name](random_)
        for name in ("chat", "tools", "reasoning", "languages", "images")
    }
    # Chat and tools come as pairs, so that a question has its answer and a call its output.
    shares = {"chat": 195, "tools": 185, "languages": 49}
    while True:
        thousand = [name for name, share in shares.items() for _ in range(share)]
        thousand += ["reasoning"] * 140 + ["images", "languages once"]
        random_.shuffle(thousand)
        for name in thousand:
            if name in shares:
                yield from islice(sources[name], 2)
            else:
                yield next(sources[name.partition(" ")[0]])


def _id(random_: random.Random, prefix: str, digits: int = 50) -> str:
    return f"{prefix}_{random_.getrandbits(4 * digits):0{digits}x}"


def _time(random_: random.Random) -> str:
    month, day, minute = random_.randint(1, 12), random_.randint(1, 28), random_.randint(0, 59)
    return f"2026-{month:02}-{day:02}T08:{minute:02}:00Z"


SHAPES: dict[str, Callable[[random.Random], Iterator[Item]]] = {
    "chat": _chat,
    "tools": _tools,
    "reasoning": _reasoning,
    "languages": _languages,
    "images": _images,
    "mix": _mix,
}
