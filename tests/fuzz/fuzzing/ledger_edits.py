"""Edits of histories, with and without the ledger's key."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from random import Random
from typing import Any

from fuzzing import mutation, sealing
from fuzzing.histories import History, head_of, mac_of
from fuzzing.sealing import CONTEXT, KEYS, UNKNOWN
from fuzzing.tables import OTHER


def _place(rng: Random, history: History) -> int:
    return rng.randrange(len(history.links))


def delete(rng: Random, history: History) -> None:
    """Delete a row, or several at an end."""
    for _ in range(rng.choice((1, 1, 2, 9))):
        if history.links:
            history.drop(rng.choice((0, -1, _place(rng, history))))


def swap(rng: Random, history: History) -> None:
    """Put a row in another place, or twice."""
    if history.links:
        row = history.drop(_place(rng, history))
        history.put(rng.randrange(len(history.links) + 1), row)
        if rng.random() < 0.3:
            history.put(rng.randrange(len(history.links) + 1), row)


def roll_back(rng: Random, history: History) -> None:
    """Put back an earlier head, with the rows that it had or with those of today."""
    head, _ = rng.choice(history.versions)
    count = struct.unpack(">Q", head[20:28])[0] if head else 0
    history.head = head
    if rng.random() < 0.7:
        while len(history.links) > count:
            history.drop(-1)


def change_link(rng: Random, history: History) -> None:
    """Change a field of a link, and perhaps sign it anew."""
    if not history.links:
        return
    place = _place(rng, history)
    link = history.links[place]
    if isinstance(link, str) or len(link) != 76:
        return
    fields = list(struct.unpack(">3s9sQq16s16s", link[:60]))
    others = [one[28:44] for one in history.links if isinstance(one, bytes) and len(one) == 76]
    uid = rng.choice((bytes(16), rng.randbytes(16), rng.choice(others)))
    change = rng.randrange(7)
    if change == 0:
        fields[2] = rng.choice((0, 1, fields[2] + 1, 2**63, 2**64 - 1))
    elif change == 1:
        fields[3] = rng.choice((0, -(2**63), fields[3] + 1, 2**63 - 1))
    elif change == 2:
        fields[4] = uid
    elif change == 3:
        fields[5] = uid
    elif change == 4:
        fields[1] = sealing.key_id(rng.choice((*KEYS, UNKNOWN)))
    elif change == 5:
        fields[0] = rng.choice((b"\xc1\xa5\x01", b"\xc1\xa6\x02", b"\xc1\xa8\x01"))
    raw = struct.pack(">3s9sQq16s16s", *fields)
    key = rng.choice((KEYS[0], KEYS[1]))
    signed = mac_of(key, raw, history.values[place]) if rng.random() < 0.6 else link[60:]
    history.links[place] = raw + signed


def change_bytes(rng: Random, history: History) -> None:
    """Change bytes or characters of a link, a value or the head without knowing what they mean."""
    choice = rng.randrange(4)
    if choice == 0 and history.head is not None:
        history.head = mutation.of_bytes(rng, history.head)
    elif not history.links:
        return
    elif choice == 1 and history.column == "text":
        place = _place(rng, history)
        link = history.links[place]
        known = link if isinstance(link, str) else base64.urlsafe_b64encode(link).decode()
        history.links[place] = mutation.of_text(rng, known.rstrip("="))  # type: ignore[call-overload]
    elif choice == 2:
        place = _place(rng, history)
        if isinstance(history.links[place], bytes):
            history.links[place] = mutation.of_bytes(rng, history.links[place])
    else:
        place = _place(rng, history)
        change: Callable[..., Any] = (
            mutation.of_text if history.column == "text" else mutation.of_bytes
        )
        history.values[place] = change(rng, history.values[place])


def change_head(rng: Random, history: History) -> None:
    """Make another head: authentic, but not true; or of another key, session or namespace."""
    if history.head is None or len(history.head) != 60:
        return
    version, count = struct.unpack(">QQ", history.head[12:28])
    last = history.head[28:44]
    change = rng.randrange(6)
    if change == 0:
        count = rng.choice((0, count + 1, abs(count - 1), 2**64 - 1))
    elif change == 1:
        last = rng.choice((bytes(16), rng.randbytes(16)))
    elif change == 2:
        version = rng.choice((0, version + 1, 2**63, 2**64 - 1))
    elif change == 3:
        history.head = None
        return
    key = rng.choice((*KEYS, UNKNOWN)) if change == 4 else KEYS[0]
    history.head = head_of(key, version, count, last, OTHER if change == 5 else CONTEXT)


def change_time(rng: Random, history: History) -> None:
    """Change a row's created_at."""
    if history.times:
        place = _place(rng, history)
        history.times[place] += rng.choice((1, -1, 1_000_000, -history.times[place]))


def insert(rng: Random, history: History) -> None:
    """Put in a row of another session, or one that has no link."""
    other = History.honest(rng, history.spec, history.column, rng.choice((CONTEXT, OTHER)))
    row = other.drop(-1)
    if rng.random() < 0.3:
        row = ("" if history.column == "text" else b"", *row[1:])  # type: ignore[assignment]
    history.put(rng.randrange(len(history.links) + 1), row)


EDITS = (
    delete,
    swap,
    roll_back,
    change_link,
    change_link,
    change_bytes,
    change_head,
    change_time,
    insert,
)
