"""Rows to try: golden ones that were changed, ones that were made, and other programs'."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fuzzing import documents, golden, msgpack_documents, mutation, sealing, streams
from fuzzing.cases import Case
from fuzzing.sealing import COMPRESSORS, CONTEXT, KEYS, NAMESPACE, SERIALIZERS, SUITES, UNKNOWN

SMALL = 1 << 20
"""The max_size of most codecs."""


def of_golden(rng: Random) -> Case:
    line = rng.choice(golden.rows())
    forms = [bytes.fromhex(line["binary"])] if "binary" in line else []
    original = rng.choice(forms + ([line["text"]] if "text" in line else []))
    stored, altered = original, True
    binary = original if isinstance(original, bytes) else None
    if isinstance(original, str):
        stored = mutation.of_text(rng, original)
    elif rng.random() < 0.5 and original[:2] == sealing.MAGIC:
        stored = mutation.of_header(rng, original)
    else:
        stored = mutation.of_bytes(rng, original)
    if binary is not None and rng.random() < 0.3 and stored[:2] == sealing.MAGIC:
        stored = sealing.to_text(stored)
        original = sealing.to_text(binary)
    if rng.random() < 0.1:
        stored, altered = original, False
    case = {
        "codec": line["codec"],
        "accept": line.get("accept", []),
        "max_size": line.get("max_size", SMALL),
        "namespace": line["namespace"],
        "context": line["context"],
        "stored": stored,
        "secrets": [],
    }
    if "item" not in line or not case["codec"].endswith(("fernet", "aesgcm")):
        return case
    case["secrets"] = _texts(line["item"])
    if altered:
        return case | {"altered": original}
    place = rng.choice(("context", "namespace"))
    if rng.random() < 0.3:
        return case | {place: case[place] + rng.choice(("x", " ", "\0")), "moved": True}
    return case | {"valid": True}


def made(rng: Random, *, bomb: bool = False) -> Case:
    serializer, compressor = rng.choice((1, 2)), rng.choice((0, 0, 1, 2))
    cipher = rng.choice(("", "fernet", "aesgcm", "aesgcm"))
    suite = SUITES[cipher]
    if bomb:
        data = streams.bomb(rng, serializer)
        data = sealing.compress(compressor, data)
    else:
        kinds = (documents.json_document, msgpack_documents.msgpack_document)
        data = kinds[(serializer - 1) ^ (rng.random() < 0.04)](rng)
        data = documents.cbor_document(rng) if rng.random() < 0.03 else data
        data = streams.compressed(rng, compressor, data)
    key = rng.choice((*KEYS, KEYS[0], KEYS[0], UNKNOWN)) if rng.random() < 0.2 else KEYS[0]
    place = {"namespace": NAMESPACE, "context": CONTEXT}
    head = sealing.header(suite, serializer, compressor, key)
    row = sealing.seal(head, data, rng, key=key, **place)
    if not suite and not compressor and serializer == 1 and rng.random() < 0.5:
        row = data  # bare JSON
    stored: Any = row
    if rng.random() < 0.5 and (row[:2] == sealing.MAGIC or _is_text(row)):
        stored = sealing.to_text(row)
    if not bomb and suite and rng.random() < 0.1:
        place[rng.choice(tuple(place))] += "x"
    sizes = (streams.BOMB_SIZE,) if bomb else (SMALL, SMALL, SMALL, 40)
    names = [name for name, number in SERIALIZERS.items() if number == serializer]
    stage = [name for name, number in COMPRESSORS.items() if number == compressor and name]
    own = "+".join([rng.choice(names), *stage, *([cipher] if cipher else [])])
    specs = (own, own, "json", "orjson+aesgcm", "msgpack+zstd+fernet")
    return {
        "codec": rng.choice(specs),
        "accept": rng.choice(([], [], ["plaintext"], ["plaintext", "fernet-token"])),
        "max_size": rng.choice(sizes),
        **place,
        "stored": stored,
        "secrets": [documents.SECRET] if suite else [],
    } | ({"bomb": True} if bomb else {})


def foreign(rng: Random) -> Case:
    """Return a row of another program, as an accepted reader knows it, with a change or none."""
    data = documents.json_document(rng)
    kind = rng.choice(("encrypted-session", "fernet-token"))
    if kind == "fernet-token":
        text = sealing.fernet_token(KEYS[0], data, rng).decode()
        stored = mutation.of_text(rng, text) if rng.random() < 0.5 else text
    else:
        master = bytes(range(32))
        token = _session_token(master, data, rng)
        token = mutation.of_text(rng, token) if rng.random() < 0.4 else token
        odd = {"v": rng.choice((2, "1", 1.0, True, None, -1)), "kid": rng.choice(("x", None, 1))}
        row = {"__enc__": 1, "v": 1, "kid": "hkdf-v1", "payload": token}
        for name in rng.sample(sorted(odd), rng.choice((0, 0, 1))):
            row[name] = odd[name]
        stored = json.dumps(row | ({"payload": value} if (value := rng.choice(_PAYLOADS)) else {}))
    shaped: Any = stored if rng.random() < 0.7 else stored.encode()
    return {
        "codec": rng.choice(("json+aesgcm", "orjson", "msgpack+zstd+fernet")),
        "accept": [kind],
        "max_size": SMALL,
        "namespace": NAMESPACE,
        "context": CONTEXT,
        "stored": shaped,
        "secrets": [documents.SECRET],
    }


_PAYLOADS = (None,) * 6 + (1, ["x"], {}, "gAAAAA", "gAAAAA" + "A" * 200)


def _session_token(master: bytes, data: bytes, rng: Random) -> str:
    info = b"agents.session-store.hkdf.v1"
    key = HKDF(hashes.SHA256(), 32, CONTEXT.encode(), info).derive(master)
    return sealing.fernet_token(key, data, rng).decode()


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _texts(item: Any) -> list[str]:
    """Return the texts of a golden item that are long enough to be told from anything else."""
    if isinstance(item, dict):
        return [text for part in item.values() for text in _texts(part)]
    if isinstance(item, list):
        return [text for part in item for text in _texts(part)]
    long = isinstance(item, str) and len(item) > 12 and item.isascii()
    return [item] if long else []
