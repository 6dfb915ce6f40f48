"""JSON of items that are nested too deeply for the standard library, without recursion.

How deep json itself goes depends on how deep the caller is. These functions take over where it
gives up, and go as deep as the other serializers do.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from strongroom.codec.serializers._plain import KEY, LEAF, MAP, Walk

if TYPE_CHECKING:
    from strongroom.protocols import Item

MAX_DEPTH = 1024
"""How many levels of lists and objects are written and read."""

_SPACE = re.compile(r"[ \t\n\r]*")
_READER = json.JSONDecoder()
_NO_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[^\[\]{}"]+|"', re.DOTALL)
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


def dumps(item: Item, encoder: json.JSONEncoder) -> str:
    """Return compact JSON; raises EncodeError with the path of what json refuses, or for depth."""
    parts: list[str] = []
    open_: list[list[Any]] = []  # of each container, what closes it and how many values it lacks
    separator = ""
    for part, value in Walk(item, max_depth=MAX_DEPTH):
        parts.append(separator)
        if part is KEY:
            parts.append(encoder.encode(value) + ":")
            separator = ""
            continue
        if part is LEAF:
            parts.append(encoder.encode(value))
        else:
            parts.append("{" if part is MAP else "[")
            open_.append(["}" if part is MAP else "]", value + 1])
        separator = "" if part is not LEAF and value else ","
        while open_:
            open_[-1][1] -= 1
            if open_[-1][1]:
                break
            parts.append(open_.pop()[0])
            separator = ","
    return "".join(parts)


def is_too_deep(text: str) -> bool:
    """Tell whether a JSON text has more levels than ``MAX_DEPTH``.

    json itself goes deeper from Python 3.12 on, and not as deep before.
    """
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    levels = accumulate(_STEPS[mark] for mark in _NO_BRACKETS.sub("", text))
    return max(levels, default=0) > MAX_DEPTH


def loads(text: str) -> Item:
    """Parse one JSON text as json does; raises ValueError, or RecursionError for depth."""
    open_: list[Any] = []
    keys: list[str] = []
    position = _skip(text, 0)
    while True:
        mark = text[position : position + 1]
        if mark in {"[", "{"}:
            if len(open_) == MAX_DEPTH:
                raise RecursionError
            value: Item = [] if mark == "[" else {}
            position = _skip(text, position + 1)
            if text[position : position + 1] != _closing(value):
                open_.append(value)
                if mark == "{":
                    position = _key(text, position, keys)
                continue
            position += 1
        else:
            value, position = _READER.raw_decode(text, position)
        while open_:
            container = open_[-1]
            if isinstance(container, list):
                container.append(value)
            else:
                container[keys.pop()] = value
            position = _skip(text, position)
            mark = text[position : position + 1]
            if mark == ",":
                position = _skip(text, position + 1)
                if isinstance(container, dict):
                    position = _key(text, position, keys)
                break
            if mark != _closing(container):
                raise _fault(text, position)
            value = open_.pop()
            position += 1
        else:
            if _skip(text, position) != len(text):
                raise _fault(text, position)
            return value


def _key(text: str, position: int, keys: list[str]) -> int:
    """Read a key and its colon; returns where its value begins."""
    if text[position : position + 1] != '"':
        raise _fault(text, position)
    key, position = _READER.raw_decode(text, position)
    position = _skip(text, position)
    if text[position : position + 1] != ":":
        raise _fault(text, position)
    keys.append(key)
    return _skip(text, position + 1)


def _closing(container: Item) -> str:
    return "]" if isinstance(container, list) else "}"


def _skip(text: str, position: int) -> int:
    """Return where the white space ends."""
    space = _SPACE.match(text, position)
    return space.end() if space else position


def _fault(text: str, position: int) -> json.JSONDecodeError:
    return json.JSONDecodeError("not JSON", text, position)
