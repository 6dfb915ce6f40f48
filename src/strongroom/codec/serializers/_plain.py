"""What json makes of an item, value by value, and where in the item it refuses to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from strongroom.errors import EncodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.protocols import Item

MAP, LIST, KEY, LEAF = "map", "list", "key", "leaf"

_KNOWN = """
action actions annotations arguments call_id code container_id content data detail encrypted_content
error file_data file_id filename format id image_url index input input_audio item logprobs model
name operation outcome output outputs phase provider_data queries query reason refusal result
results role server_label source sources status summary text title tool_calls tools type url
"""
_KNOWN_KEYS = frozenset(_KNOWN.split())
"""The keys of openai-agents' items. An error names these alone: any other key may be content."""


class Walk:
    """Takes an item apart in the order, and with the conversions, of ``json.dumps``.

    Iterating gives ``(MAP, size)`` and ``(LIST, size)`` before their contents, ``(KEY, str)``
    before each value of a map, and ``(LEAF, value)``, where a value of a subclass has become one of
    the base type. What json refuses raises EncodeError, and so do values of the types ``never`` and
    nesting beyond ``max_depth``; values of the types ``also`` are given as they are. It does not
    recurse.
    """

    def __init__(
        self,
        item: Item,
        *,
        also: tuple[type, ...] = (),
        never: tuple[type, ...] = (),
        max_depth: int | None = None,
    ) -> None:
        self._item = item
        self._also = also
        self._never = never
        self._max_depth = max_depth
        self._steps: list[str | int] = []

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Give the parts one after the other."""
        levels: list[tuple[object, Iterator[tuple[Any, Any]]]] = []
        on_path: set[int] = set()
        value = self._item
        while True:
            if isinstance(value, dict | list | tuple) and not isinstance(value, self._never):
                if id(value) in on_path:
                    raise self.refuse(f"this {type(value).__name__} contains itself")
                if len(levels) == self._max_depth:
                    raise too_deep()
                children: list[tuple[Any, Any]] = (
                    list(value.items()) if isinstance(value, dict) else list(enumerate(value))
                )
                yield (MAP if isinstance(value, dict) else LIST), len(children)
                on_path.add(id(value))
                levels.append((value, iter(children)))
                self._steps.append("")
            else:
                yield LEAF, self._leaf(value)
            while True:
                if not levels:
                    return
                container, rest = levels[-1]
                child = next(rest, None)
                if child is not None:
                    break
                on_path.remove(id(container))
                levels.pop()
                self._steps.pop()
            step, value = child
            if isinstance(container, dict):
                self._steps.pop()  # a bad key is reported at its dict
                step = self._key(step)
                self._steps.append(step)
                yield KEY, step
            else:
                self._steps[-1] = step

    @property
    def path(self) -> str:
        """Where the walk is, in the style of JSONPath: ``$.content[0].*``.

        A key that is none of openai-agents' items is ``*``, as it may be content.
        """
        return "$" + "".join(
            f"[{step}]" if isinstance(step, int) else f".{step if step in _KNOWN_KEYS else '*'}"
            for step in self._steps
        )

    def refuse(self, reason: str) -> EncodeError:
        """Return the error that says why the value at the current path cannot be stored."""
        return EncodeError(f"cannot store {self.path}: {reason}", path=self.path)

    def _leaf(self, value: object) -> object:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            return self._integer(value)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, self._also):
            return value
        raise self.refuse(f"a value of type {type(value).__name__}")

    def _key(self, key: object) -> str:
        if isinstance(key, str):
            return str.__str__(key)
        if isinstance(key, int):
            self._integer(key)
        elif key is not None and not isinstance(key, float):
            raise self.refuse(f"a key of type {type(key).__name__}")
        return json.dumps(key)

    def _integer(self, value: int) -> int:
        plain = int.__int__(value)
        try:
            int.__repr__(plain)  # as json does: refuses too many digits
        except ValueError:
            pass
        else:
            return plain
        raise self.refuse("an int of more digits than Python converts to text")


def too_deep() -> EncodeError:
    """Return the error for an item that is nested too deeply."""
    return EncodeError("cannot store $: it is nested too deeply", path="$")


def refusal(item: Item) -> EncodeError:
    """Return the error that says what json refused about an item."""
    try:
        for _ in Walk(item):
            pass
    except EncodeError as error:
        return error.with_traceback(None)
    except (TypeError, ValueError):  # a subclass whose items() are no pairs, for one
        return EncodeError("cannot store $: json cannot take it apart", path="$")
    return too_deep()
