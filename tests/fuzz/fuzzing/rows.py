"""Rows, as Codec reads them: headers, text forms, sealed bodies, streams and documents."""

from __future__ import annotations

import json
from functools import lru_cache
from random import Random
from typing import Any

import strongroom
from fuzzing import documents, golden, leaks, mutation, sealing, streams
from fuzzing.cases import Case
from fuzzing.findings import BULK, WRONG, Finding, foreign
from fuzzing.sealing import COMPRESSORS, CONTEXT, KEYS, NAMESPACE, SERIALIZERS, SUITES, UNKNOWN
from strongroom import Codec, DecodeError, FernetTokenReader, OpenAIEncryptedReader

SMALL = 1 << 20
_MASTER = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
KEY_TEXTS = frozenset(
    text
    for key in KEYS
    for text in leaks.spellings(key, sealing.subkey_infos() if key == KEYS[0] else ())
)


class Rows:
    """Rows given to ``Codec`` one by one and in bulk."""

    name = "rows"

    def generate(self, rng: Random) -> Case:
        """Return a golden row with a change, or a row made of a document of any kind."""
        choice = rng.random()
        if choice < 0.3:
            return _of_golden(rng)
        if choice < 0.3004:
            return _made(rng, bomb=True)
        if choice < 0.38:
            return _foreign(rng)
        return _made(rng)

    def run(self, case: Case) -> str:
        """Read the row alone, in bulk between good neighbours, and describe it."""
        stored, place = case["stored"], (case["context"], case["namespace"])
        codec = _codec(case["codec"], tuple(case["accept"]), case["max_size"])
        bound = codec.bind(*place)
        if case.get("bomb"):
            return _measured(bound, stored, case)
        alone = _decoded(bound, stored, case)
        _check_bulk(bound, stored, alone, case)
        _describe(stored, case)
        if isinstance(alone, DecodeError):
            if case.get("valid"):
                raise Finding(WRONG, f"a valid row was refused: {alone}", ["refused a valid row"])
            return type(alone).__name__
        _check_item(alone, stored, case, codec)
        return "read"

    def max_size(self, case: Case) -> int:
        """Return the codec's bound."""
        return int(case["max_size"])

    def close(self) -> None:
        """Have nothing to let go of."""


@lru_cache(maxsize=512)
def _codec(spec: str, accept: tuple[str, ...], max_size: int) -> Codec:
    keys = golden.ring(*KEYS)
    stages = {
        "encrypted-session": lambda: OpenAIEncryptedReader(_MASTER, ttl=None),
        "fernet-token": lambda: FernetTokenReader(keys),
    }
    accepted = [stages[name]() if name in stages else name for name in accept]
    needs = any(name in {*spec.split("+"), *accept} for name in ("fernet", "aesgcm"))
    return Codec.parse(spec, keys=keys if needs else None, accept=accepted, max_size=max_size)


def _of_golden(rng: Random) -> Case:
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


def _made(rng: Random, *, bomb: bool = False) -> Case:
    serializer, compressor = rng.choice((1, 2)), rng.choice((0, 0, 1, 2))
    cipher = rng.choice(("", "fernet", "aesgcm", "aesgcm"))
    suite = SUITES[cipher]
    if bomb:
        data = streams.bomb(rng, serializer)
        data = sealing.compress(compressor, data)
    else:
        kinds = (documents.json_document, documents.msgpack_document)
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


def _foreign(rng: Random) -> Case:
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
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

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


def _decoded(bound: Any, stored: Any, case: Case) -> Any:
    try:
        return bound.decode(stored)
    except DecodeError as error:
        leaks.check(error, case["secrets"], KEY_TEXTS, "decode")
        return error
    except Exception as error:
        raise foreign(error, "decode") from None


def _measured(bound: Any, stored: Any, case: Case) -> str:
    """Decode a bomb alone and in bulk, and compare nothing, which would take longer than that."""
    alone = _kind(_decoded(bound, stored, case))
    many = [_kind(outcome) for outcome in bound.decode_many([stored])]
    if many != [alone]:
        raise Finding(BULK, f"{alone} alone, {many} in bulk", ["bomb"])
    return f"bomb: {alone}"


@lru_cache(maxsize=64)
def _neighbours(spec: str, text: bool, *place: str) -> tuple[Any, Any]:
    """Return a good row of the codec, and its item."""
    item = {"role": "user", "content": "a good neighbour"}
    bound = _codec(spec, (), SMALL).bind(*place)
    return (bound.encode_text(item) if text else bound.encode(item)), item


def _check_bulk(bound: Any, stored: Any, alone: Any, case: Case) -> None:
    """Compare bulk decoding with what the row came to alone."""
    text = isinstance(stored, str)
    good, item = _neighbours(case["codec"], text, case["context"], case["namespace"])
    batches = ([stored], [good, stored, good], [stored, stored, good])
    for batch in batches if case["max_size"] >= 100 else batches[:1]:
        try:
            outcomes = bound.decode_many(batch)
        except Exception as error:
            raise foreign(error, "decode_many") from None
        if len(outcomes) != len(batch):
            raise Finding(BULK, f"{len(batch)} rows came to {len(outcomes)}", ["count"])
        for value, outcome in zip(batch, outcomes, strict=True):
            expected = alone if value is stored else item
            if not _same(outcome, expected):
                detail = f"{_kind(expected)} alone, {_kind(outcome)} among {len(batch)}"
                raise Finding(BULK, detail, [detail])
            if isinstance(outcome, DecodeError):
                leaks.check(outcome, case["secrets"], KEY_TEXTS, "decode_many")


def _kind(outcome: Any) -> str:
    return type(outcome).__name__ if isinstance(outcome, Exception) else "an item"


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, DecodeError) or isinstance(other, DecodeError):
        return type(one) is type(other) and str(one) == str(other)
    return golden.same(one, other)


def _describe(stored: Any, case: Case) -> None:
    try:
        strongroom.describe(stored)
    except strongroom.EnvelopeError as error:
        leaks.check(error, case["secrets"], KEY_TEXTS, "describe")
    except Exception as error:
        raise foreign(error, "describe") from None


def _check_item(item: Any, stored: Any, case: Case, codec: Codec) -> None:
    """Refuse an item that the row does not hold, or that its codec should not have read."""
    if "altered" in case and stored != case["altered"]:
        raise Finding(WRONG, f"an altered row was read as {str(item)[:80]}", ["altered"])
    if case.get("moved"):
        raise Finding(WRONG, "a row was read in another session or namespace", ["moved"])
    info = strongroom.describe(stored)
    if codec.cipher is not None and not case["accept"] and info.cipher != codec.cipher.name:
        raise Finding(WRONG, f"a row of {info.spec} was read by {codec.spec}", ["not accepted"])
    if info.format not in {"envelope", "json"}:
        return
    try:
        second = golden.second_decoder.decode(
            stored, KEYS, case["namespace"], case["context"], {}, case["max_size"]
        )
        agreed = golden.same(second, item)
    except RecursionError:
        return
    except Exception as error:
        problem = f"{type(error).__name__}: {str(error)[:80]}"
        raise Finding(WRONG, f"the second decoder refuses it: {problem}", [problem[:40]]) from None
    if not agreed:
        raise Finding(WRONG, "the second decoder reads something else", ["second decoder"])
