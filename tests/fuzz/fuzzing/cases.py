"""Cases as JSON: bytes and long texts have a spelling of their own, and bombs stay small."""

from __future__ import annotations

import base64
import json
import lzma
from pathlib import Path
from typing import Any

Case = dict[str, Any]

CORPUS = Path(__file__).parents[1] / "corpus"
"""Each file is an object: ``name``, ``form``, ``case``, and ``why`` it is kept."""

_LONG = 2_000


def to_json(value: Any) -> Any:
    """Return a value that JSON can hold; ``from_json`` undoes it."""
    if isinstance(value, bytes):
        return _packed("bytes", value) if len(value) > _LONG else {"$hex": value.hex()}
    if isinstance(value, str) and len(value) > _LONG:
        return _packed("text", value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict):
        return {name: to_json(part) for name, part in value.items()}
    return [to_json(part) for part in value] if isinstance(value, list | tuple) else value


def from_json(value: Any) -> Any:
    """Undo ``to_json``."""
    if isinstance(value, dict):
        if "$hex" in value:
            return bytes.fromhex(value["$hex"])
        if "$packed" in value:
            data = lzma.decompress(lzma.decompress(base64.b85decode(value["$packed"])))
            return str(data, "utf-8", "surrogatepass") if value["of"] == "text" else data
        return {name: from_json(part) for name, part in value.items()}
    return [from_json(part) for part in value] if isinstance(value, list) else value


def dumps(case: Case) -> str:
    """Return a case as one line of ASCII."""
    return json.dumps(to_json(case))


def loads(text: str) -> Case:
    """Return the case of a line, or of a file of the corpus."""
    found: Case = from_json(json.loads(text))
    return found


def corpus() -> dict[str, Case]:
    """Return the corpus, by the names of its files."""
    paths = sorted(CORPUS.glob("*.json"))
    return {path.stem: loads(path.read_text("ascii")) for path in paths}


def _packed(kind: str, data: bytes) -> dict[str, str]:
    # Twice: a bomb of megabytes is a repetition that itself repeats.
    packed = lzma.compress(lzma.compress(data, preset=0), preset=0)
    return {"$packed": base64.b85encode(packed).decode("ascii"), "of": kind}
