"""The lines of an export: one JSON object a line, which holds every item exactly.

::

    {"session_id": "user-1", "created_at": "2026-01-31T12:00:00.123456+00:00", "item": …}

The text is ASCII, so no line holds a line break of any kind; lone surrogates are escapes, and NaN
and the infinities are ``NaN``, ``Infinity`` and ``-Infinity``, as Python's json writes them. What
msgpack alone can store becomes an object of one key: ``{"$bytes": base64}`` and ``{"$datetime":
ISO 8601}``. An item's own object of one key that is ``$bytes`` or ``$datetime``, or one of these
behind further ``$``, gets one more ``$``, and loses it again on import.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from typing import Any

from strongroom.codec.serializers.json import JsonSerializer
from strongroom.codec.serializers.orjson import OrjsonSerializer
from strongroom.errors import EncodeError, PayloadError
from strongroom.protocols import Item

_WRITER = JsonSerializer()
_READER = OrjsonSerializer()
_TAG = re.compile(r"\$+(?:bytes|datetime)")
_MAYBE_TAGGED = re.compile(r'\$(?:bytes|datetime)"|\\u00', re.IGNORECASE)
"""What a text holds if it has a tag; a foreign writer may have spelled one with escapes."""


def dump_item(item: Item) -> str:
    """Return an item as JSON; raises EncodeError for what no codec of ours could have stored."""
    try:
        return _dump(item)
    except EncodeError as error:
        refusal = error.with_traceback(None)
    finally:
        del item  # an error keeps this frame
    raise refusal


def _dump(item: Item) -> str:
    try:
        text = _WRITER.dumps(item).decode("ascii")
    except EncodeError:
        text = ""  # it may hold bytes or a datetime
    if text and not _MAYBE_TAGGED.search(text):
        return text
    return _WRITER.dumps(_rebuilt(item, _tagged)).decode("ascii")


def dump_line(session_id: str, created_at: dt.datetime | None, item: Item) -> str:
    """Return the line of an item, without a line break."""
    created = "null" if created_at is None else f'"{created_at.isoformat()}"'
    name = json.dumps(session_id)
    try:
        return f'{{"session_id":{name},"created_at":{created},"item":{dump_item(item)}}}'
    finally:
        del item  # an error keeps this frame


def load_line(line: str | bytes) -> tuple[str, dt.datetime | None, Item] | str:
    """Return session id, time and item of a line, or what is wrong with it, without its content."""
    try:
        record = _READER.loads(line)
    except PayloadError as error:
        return error.message
    if not isinstance(record, dict) or "item" not in record:
        return "it is no object with session_id, created_at and item"
    session_id, created, item = record.get("session_id"), record.get("created_at"), record["item"]
    if not isinstance(session_id, str):
        return "its session_id is no text"
    created_at = None
    if created is not None:
        created_at = _instant(created)
        if created_at is None:
            return "its created_at is no time in ISO 8601 with a time zone"
        if not _is_in_utc(created_at):
            return "its created_at is outside the years 1 to 9999 in UTC"
    text = line if isinstance(line, str) else str(line, "utf-8")
    if _MAYBE_TAGGED.search(text):
        try:
            item = _rebuilt(item, _untagged)
        except ValueError:
            return "it holds bytes or a time that cannot be read"
    return session_id, created_at, item


def _rebuilt(item: Item, change: Any) -> Item:
    """Return a copy of an item, each value put through ``change`` before its parts are."""
    root = [item]
    pending: list[tuple[Any, Any]] = [(root, 0)]
    while pending:  # no recursion: items are deep
        container, place = pending.pop()
        value = change(container[place])
        if isinstance(value, dict):
            value = dict(value)
            pending += [(value, key) for key in value]
        elif isinstance(value, list | tuple):
            value = list(value)
            pending += [(value, index) for index in range(len(value))]
        container[place] = value
    return root[0]


def _tagged(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, dt.datetime):
        return {"$datetime": value.isoformat()}
    key = _only_key(value)
    return {f"${key}": value[key]} if key is not None else value


def _untagged(value: Any) -> Any:
    key = _only_key(value)
    if key is None:
        return value
    content = value[key]
    if key == "$bytes":
        if not isinstance(content, str):
            raise ValueError(key)
        return base64.b64decode(content, validate=True)
    if key == "$datetime":
        instant = _instant(content)
        if instant is None:
            raise ValueError(key)
        return instant
    return {key[1:]: content}


def _only_key(value: Any) -> str | None:
    """Return the key of an object of one key that looks like a tag."""
    if isinstance(value, dict) and len(value) == 1:
        (key,) = value
        if isinstance(key, str) and _TAG.fullmatch(key):
            return key
    return None


def _is_in_utc(time: dt.datetime) -> bool:
    """Tell whether UTC has a time: databases hold that, and no year before 1 or after 9999."""
    try:
        time.astimezone(dt.UTC)
    except OverflowError:
        return False
    return True


def _instant(text: object) -> dt.datetime | None:
    """Return an aware time, None for anything else."""
    try:
        time = dt.datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return time if time is not None and time.utcoffset() is not None else None
