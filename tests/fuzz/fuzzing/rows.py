"""Rows, as Codec reads them: headers, text forms, sealed bodies, streams and documents."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import Any

import strongroom
from fuzzing import golden, leaks, row_cases, sealing
from fuzzing.cases import Case
from fuzzing.findings import BULK, WRONG, Finding, foreign
from fuzzing.row_cases import SMALL
from fuzzing.sealing import KEYS
from strongroom import Codec, DecodeError, FernetTokenReader, OpenAIEncryptedReader

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
            return row_cases.of_golden(rng)
        if choice < 0.3004:
            return row_cases.made(rng, bomb=True)
        if choice < 0.38:
            return row_cases.foreign(rng)
        return row_cases.made(rng)

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
