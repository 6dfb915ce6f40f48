"""The golden files, and the second readers that the fuzzer compares strongroom with."""

from __future__ import annotations

import json
import marshal
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "format"))
sys.path.insert(0, str(Path(__file__).parents[2] / "ledger"))

import golden_files
import second_decoder
import second_reader

from strongroom import Key, Keyring

__all__ = ["exactly", "histories", "ring", "rows", "same", "second_decoder", "second_reader"]

_NO_REFERENCES = 2
"""The version of marshal whose bytes depend on values alone."""
_DEEPEST = 200


@lru_cache(maxsize=1)
def rows() -> list[dict[str, Any]]:
    """Return the golden rows, valid and invalid, that no third party's stage is needed for."""
    lines = []
    for path in sorted(golden_files.FOLDER.rglob("*.jsonl")):
        if path.stem != "third-party":
            lines += [{"codec": path.stem} | line for line in golden_files.lines(path)]
    return lines


@lru_cache(maxsize=1)
def histories() -> list[dict[str, Any]]:
    """Return the golden histories, valid and invalid."""
    folder = Path(second_reader.__file__).parent / "golden"
    texts = [(folder / f"{name}.jsonl").read_text("ascii") for name in ("valid", "invalid")]
    return [json.loads(line) for text in texts for line in text.splitlines()]


@lru_cache(maxsize=64)
def ring(*keys: bytes) -> Keyring:
    """Return a keyring of these bytes."""
    return Keyring(*map(Key, keys))


def exactly(item: Any) -> str:
    """Return a text that tells apart what == does not: 1 and 1.0, 0.0 and -0.0, orders."""
    return json.dumps(golden_files.to_json(item))


def same(one: Any, other: Any) -> bool:
    """Tell whether two items are exactly the same, however deep they are."""
    try:
        if marshal.dumps(one, _NO_REFERENCES) == marshal.dumps(other, _NO_REFERENCES):
            return True
    except ValueError:  # bytes are fine, times are not
        pass
    if max(_depth(one), _depth(other)) > _DEEPEST:
        return _depth(one) == _depth(other)
    return exactly(one) == exactly(other)


def _depth(item: Any) -> int:
    """Return how deep an item is nested, without recursion."""
    depth, level = 0, [item]
    while level := [
        part
        for value in level
        if isinstance(value, dict | list)
        for part in (value.values() if isinstance(value, dict) else value)
    ]:
        depth += 1
    return depth
