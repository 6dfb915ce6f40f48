"""What the suites put in, and how they compare what comes out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom.protocols import Item

SECRET = "s3cret-value"
"""A text that the suites look for where it must not be."""

PROPERTY: Callable[[Any], Any] = settings(
    deadline=None,
    # A test of a suite runs once for each subclass, and a slow stage is no fault.
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)
"""The settings of every property test in the suites; the number of examples is the profile's."""


def json_values() -> st.SearchStrategy[Any]:
    """Generate whatever ``json.dumps`` takes, with a liking for what libraries get wrong.

    Lone surrogates, integers beyond 64 bits, NaN, the infinities and -0.0 occur, and so do tuples
    and keys that are no strings: ``json.loads(json.dumps(value))`` is what has to come back.
    """
    text = st.text(st.characters() | st.sampled_from(["\ud800", "\udfff", "\ud83d", "\ude00"]))
    edges = st.sampled_from([2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1])
    integers = st.integers() | st.integers(-(2**70), 2**70) | edges
    scalars = st.none() | st.booleans() | integers | st.floats() | text
    keys = text | st.integers() | st.floats() | st.booleans() | st.none()
    return st.recursive(scalars, lambda inner: _containers(keys, inner))


def items() -> st.SearchStrategy[dict[str, Any]]:
    """Generate conversation items such as openai-agents stores.

    Messages, tool calls with their outputs, and now and then other objects. They equal what json
    makes of them, so ``==`` compares them.
    """
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
    ids = st.text("abcdef0123456789_", min_size=1, max_size=12)
    parts = st.lists(st.fixed_dictionaries({"type": st.just("input_text"), "text": text}))
    role = st.sampled_from(["user", "assistant", "system", "developer"])
    call = {"type": st.just("function_call"), "call_id": ids, "name": ids}
    output = {"type": st.just("function_call_output"), "call_id": ids, "output": text}
    floats = st.floats(allow_nan=False, allow_infinity=False)
    plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | floats | text
    arguments = st.dictionaries(ids, plain, max_size=3).map(json.dumps)
    other = st.recursive(plain, lambda inner: _containers(text, inner, tuples=False), max_leaves=9)
    return st.one_of(
        st.fixed_dictionaries({"role": role, "content": text | parts}),
        st.fixed_dictionaries({**call, "arguments": arguments}),
        st.fixed_dictionaries(output),
        st.dictionaries(text, other, max_size=4),
    )


def same(first: Item, second: Item) -> bool:
    """Compare two values more strictly than ``==``: types, the order of keys, NaN and -0.0."""
    return bool(_shape(first) == _shape(second))


def by_json(item: Item) -> Item:
    """Return what json makes of an item."""
    return json.loads(json.dumps(item))


def nested(levels: int, kind: str) -> Item:
    """Return a leaf inside so many lists, dicts, or both by turns."""
    item: Item = "leaf"
    for level in range(levels):
        item = {"k": item} if kind == "dict" or (kind == "both" and level % 2) else [item]
    return item


def shown(error: BaseException) -> str:
    """Return all that an error says, and what hangs on it."""
    texts = []
    pending: list[BaseException | None] = [error]
    while pending:
        found = pending.pop()
        if found is not None:
            texts.append(f"{found!r} {found} {vars(found)!r}")
            pending += [found.__cause__, found.__context__]
    return "\n".join(texts)


def _containers(
    keys: st.SearchStrategy[Any], inner: st.SearchStrategy[Any], *, tuples: bool = True
) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, max_size=5)
    found = lists | st.dictionaries(keys, inner, max_size=5)
    return found | lists.map(tuple) if tuples else found


def _shape(value: Item) -> Any:
    """Take a value apart without recursion: json nests deeper than Python calls."""
    shape: list[Any] = []
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            shape.append((type(value), len(value)))
            pending += [part for pair in value.items() for part in pair]
        elif isinstance(value, list | tuple):
            shape.append((type(value), len(value)))
            pending += value
        else:
            shape.append((type(value), repr(value)))
    return shape
