"""Describe an item of a conversation: who speaks, and the text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from strongroom.cli.formatting import format_size


class Part(NamedTuple):
    """A paragraph of an item; long ones are folded."""

    text: str
    folds: bool = True


def describe_item(item: Any) -> tuple[str, list[Part]]:
    """Return who or what speaks in an item, and its paragraphs."""
    if not isinstance(item, dict):
        return "item", [Part(_json(item))]
    kind = item.get("type") or "message"
    if kind == "message" and "role" in item:
        return str(item["role"]), list(_content(item.get("content")))
    if kind == "function_call":
        title = f"tool call  {item.get('name', '')}  {item.get('call_id', '')}"
        return title.rstrip(), [Part(_arguments(item.get("arguments")))]
    if kind == "function_call_output":
        return f"tool output  {item.get('call_id', '')}".rstrip(), list(
            _content(item.get("output"))
        )
    if kind == "reasoning":
        return "reasoning", list(_reasoning(item))
    if kind == "image_generation_call":
        return "image", [_image(item.get("result"))]
    return str(kind).replace("_", " "), [Part(_json(_without_bulk(item)))]


def _content(content: Any) -> Iterator[Part]:
    """Yield the paragraphs of a content or an output: a text, or a list of parts."""
    if isinstance(content, str):
        yield Part(_pretty(content))
        return
    if not isinstance(content, list):
        yield Part(_json(content))
        return
    for part in content:
        if not isinstance(part, dict):
            yield Part(_json(part))
        elif isinstance(part.get("text"), str):
            yield Part(part["text"])
        elif part.get("type") == "refusal":
            yield Part(f"[refusal] {part.get('refusal', '')}")
        elif part.get("type") == "input_image":
            yield _image(part.get("image_url") or part.get("file_id"))
        else:
            yield Part(_json(_without_bulk(part)))


def _reasoning(item: dict[str, Any]) -> Iterator[Part]:
    for name in ("summary", "content"):
        if isinstance(item.get(name), list) and item[name]:
            yield from _content(item[name])
    sealed = item.get("encrypted_content")
    if isinstance(sealed, str):
        yield Part(f"[{format_size(len(sealed))} that the provider encrypted]", folds=False)


def _image(source: Any) -> Part:
    """Return what is said of an image: its kind and size, or where it is."""
    if not isinstance(source, str):
        return Part("[image]", folds=False)
    head, comma, data = source.partition(",")
    if head.startswith("data:") and comma:
        return Part(
            f"[{head[5:].partition(';')[0] or 'data'}, {format_size(len(data) * 3 // 4)}]",
            folds=False,
        )
    if len(source) > 500:
        return Part(f"[image, {format_size(len(source) * 3 // 4)}]", folds=False)
    return Part(f"[image {source}]", folds=False)


def _arguments(arguments: Any) -> str:
    return _pretty(arguments) if isinstance(arguments, str) else _json(arguments)


def _pretty(text: str) -> str:
    """Return JSON with its lines indented; anything else as it is."""
    if text[:1] not in {"{", "["}:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    short = json.dumps(value, ensure_ascii=False)
    return short if len(short) <= 76 else json.dumps(value, ensure_ascii=False, indent=2)


def _without_bulk(item: dict[str, Any]) -> dict[str, Any]:
    """Return an object whose data URLs and long base64 are told by their size."""
    return {
        name: _image(value).text
        if isinstance(value, str) and (value.startswith("data:") or name == "file_data")
        else value
        for name, value in item.items()
    }


def _json(value: Any) -> str:
    from strongroom.store.jsonlines import dump_item

    return value if isinstance(value, str) else _pretty(dump_item(value))
