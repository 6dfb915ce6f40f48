"""Good rows, always the same: those that stand beside a bad one."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import Any

from fuzzing import documents, golden, msgpack_documents, sealing
from fuzzing.row_cases import SMALL
from fuzzing.sealing import COMPRESSORS, KEYS, SERIALIZERS, SUITES
from strongroom import Codec

NEIGHBOUR = "the-neighbour-said-8-12-40"
"""A text in every good row; no error may show it."""


@lru_cache(maxsize=32)
def codec_of(spec: str, accept: tuple[str, ...] = ()) -> Codec:
    """Return the codec of a spec, with the test keys."""
    keys = golden.ring(*KEYS) if spec.endswith(("fernet", "aesgcm")) else None
    return Codec.parse(spec, keys=keys, accept=accept, max_size=SMALL)


def good_item(number: int) -> Any:
    """Return the item of a good row."""
    return {"role": "user", "content": f"{NEIGHBOUR}, row {number}"}


@lru_cache(maxsize=4096)
def good(spec: str, column: str, context: str, number: int) -> Any:
    """Return what the column holds for a good row; always the same."""
    serializer, *stages = spec.split("+")
    cipher = stages[-1] if stages and stages[-1] in SUITES else ""
    compressor = stages[0] if stages and stages[0] in COMPRESSORS else ""
    kind = SERIALIZERS[serializer]
    dump = msgpack_documents.plain_msgpack if kind == 2 else documents.plain_json
    data = sealing.compress(COMPRESSORS[compressor], dump(good_item(number)))
    row = data
    if stages or kind == 2:
        head = sealing.header(SUITES[cipher], kind, COMPRESSORS[compressor])
        row = sealing.seal(head, data, Random(number), context=context)
    return sealing.to_text(row) if column == "text" else row
