"""Codecs beside each other: stored bytes, and microseconds to encode and to decode an item.

openai-agents' two classes are measured the same way: what their hooks do to an item, without SQL.
"""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from agents.extensions.memory import EncryptedSession

import corpus
from contenders import AGENTS, ENCRYPTED, KEYS, MASTER_KEY, TTL
from strongroom import Codec
from strongroom.format.envelope import column_text

SERIALIZERS = ("json", "orjson", "msgpack")
COMPRESSORS = ("", "+zlib", "+zstd")
CIPHERS = ("", "+fernet", "+aesgcm")
SPECS = tuple(s + c + seal for s in SERIALIZERS for c in COMPRESSORS for seal in CIPHERS)
COUNTS = {"chat": 200, "tools": 60, "reasoning": 60, "languages": 200, "images": 2, "mix": 500}
SIZED = 2000
"""How many items of the mix are stored to compare bytes: two images among them."""
BYTES_TARGETS = {"orjson+aesgcm": 0.70, "msgpack+zstd+aesgcm": 0.45}


@dataclass(frozen=True)
class Stage:
    """One way to write rows."""

    codec: str
    column: str
    encode: Callable[[Sequence[Any]], list[Any]]
    decode: Callable[[Sequence[Any]], list[Any]]


def parse(spec: str) -> Codec:
    """Return the codec of a spec, with the keys of the benchmark where it needs some."""
    sealed = spec.endswith(("fernet", "aesgcm"))
    return Codec.parse(spec, keys=KEYS if sealed else None)


def stages() -> list[Stage]:
    """Return every codec in both columns, and the peers."""
    found = [_agents(), _encrypted()]
    for spec in SPECS:
        bound = parse(spec).bind("user-123")
        found.append(Stage(spec, "binary", bound.encode_many, bound.decode_many))
        found.append(Stage(spec, "text", _in_text(bound), bound.decode_many))
    return found


def _in_text(bound: Any) -> Callable[[Sequence[Any]], list[str]]:
    return lambda items: [column_text(row) for row in bound.encode_many(items)]


def _agents() -> Stage:
    def encode(items: Sequence[Any]) -> list[str]:
        return [json.dumps(item, ensure_ascii=True, separators=(",", ":")) for item in items]

    return Stage(AGENTS, "text", encode, lambda rows: [json.loads(row) for row in rows])


def _encrypted() -> Stage:
    class Nothing:
        session_settings = None

    session: Any = EncryptedSession("user-123", Nothing(), encryption_key=MASTER_KEY, ttl=TTL)  # type: ignore[arg-type]
    plain = _agents()

    def encode(items: Sequence[Any]) -> list[str]:
        return plain.encode(session._encrypt_items(items))

    return Stage(
        ENCRYPTED,
        "text",
        encode,
        lambda rows: session._unwrap_valid_items([json.loads(row) for row in rows]),
    )


def measure(rounds: int) -> dict[str, Any]:
    """Return bytes and times of every stage for every shape, measured in turn."""
    everyone = stages()
    figures: list[dict[str, Any]] = []
    for shape in corpus.SHAPES:
        items = corpus.items(shape, COUNTS[shape])
        rows = {id(stage): stage.encode(items) for stage in everyone}
        times: dict[tuple[int, str], list[float]] = {}
        random_ = random.Random(shape)
        for _ in range(rounds):
            for stage in random_.sample(everyone, len(everyone)):
                begin = perf_counter()
                stage.encode(items)
                middle = perf_counter()
                stage.decode(rows[id(stage)])
                end = perf_counter()
                times.setdefault((id(stage), "encode"), []).append(middle - begin)
                times.setdefault((id(stage), "decode"), []).append(end - middle)
        for stage in everyone:
            assert stage.decode(rows[id(stage)]) == items, stage.codec
            figures.append(
                {
                    "shape": shape,
                    "codec": stage.codec,
                    "column": stage.column,
                    "bytes": sum(map(_stored, rows[id(stage)])) / len(items),
                    "encode": statistics.median(times[id(stage), "encode"]) / len(items),
                    "decode": statistics.median(times[id(stage), "decode"]) / len(items),
                }
            )
    return {"figures": figures, "sizes": sizes()}


def _stored(row: str | bytes) -> int:
    return len(row.encode() if isinstance(row, str) else row)


def sizes() -> dict[str, dict[str, float]]:
    """Return bytes against EncryptedSession's rows: of all, without images, and row by row."""
    items = corpus.items("mix", SIZED)
    theirs = [_stored(row) for row in _encrypted().encode(items)]
    small = [index for index, size in enumerate(theirs) if size < corpus.IMAGE_BYTES]
    result = {}
    for spec in ("orjson+fernet", *BYTES_TARGETS, "msgpack+zstd+fernet"):
        bound = parse(spec).bind("user-123")
        binary = [len(row) for row in bound.encode_many(items)]
        result[spec] = {
            "all": sum(binary) / sum(theirs),
            "without images": sum(binary[i] for i in small) / sum(theirs[i] for i in small),
            "median row": statistics.median(a / b for a, b in zip(binary, theirs, strict=True)),
        }
    return result
