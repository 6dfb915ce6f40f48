"""Histories as docs/row-format.md writes them, and edits of them, with and without the key."""

from __future__ import annotations

import base64
import datetime as dt
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from fuzzing import mutation, sealing
from fuzzing.golden import second_reader
from fuzzing.sealing import CONTEXT, KEYS, NAMESPACE, UNKNOWN
from fuzzing.sessions import good
from fuzzing.tables import OTHER

LEDGER_KEYS = KEYS[:2]
_START = 1_793_000_000_000_000
_EPOCH = dt.datetime(1970, 1, 1)


def text_of(micros: int) -> str:
    """Return a time as SQLite holds it."""
    return str(_EPOCH + dt.timedelta(microseconds=micros))


def micros_of(text: str) -> int:
    """Undo ``text_of``."""
    return (dt.datetime.fromisoformat(text) - _EPOCH) // dt.timedelta(microseconds=1)


@dataclass
class History:
    """Rows and a head while they are being edited; a link is bytes, its mac the last sixteen."""

    spec: str
    column: str
    head: bytes | None = None
    links: list[bytes] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    versions: list[tuple[bytes | None, int]] = field(default_factory=list)
    """The heads that were before, and how many rows each had."""

    @classmethod
    def honest(cls, rng: Random, spec: str, column: str, context: str = CONTEXT) -> History:
        """Return a history of a few batches."""
        made = cls(spec, column)
        last, count = bytes(16), 0
        for version in range(1, rng.randrange(1, 4) + 1):
            key = rng.choice((KEYS[0], KEYS[0], KEYS[1]))
            for _ in range(rng.randrange(1, 3)):
                count += 1
                value, time = good(spec, column, context, count), _START + count * 1_000_000
                uid = rng.randbytes(16)
                link = b"\xc1\xa6\x01" + sealing.key_id(key)
                link += struct.pack(">Qq", count, time) + uid + last
                made.links.append(link + mac_of(key, link, value, context))
                made.values.append(value)
                made.times.append(time)
                last = uid
            made.versions.append((made.head, count))
            made.head = head_of(key, version, count, last, context)
        return made

    def stored(self) -> list[tuple[Any, str]]:
        """Return what the columns hold: the linked values and their times."""
        times = map(text_of, self.times)
        return list(zip(map(self._joined, self.links, self.values), times, strict=True))

    def _joined(self, link: Any, value: Any) -> Any:
        if not isinstance(value, str):
            return link + value
        if isinstance(link, str):
            return link + value
        return base64.urlsafe_b64encode(link).decode().rstrip("=") + value

    def drop(self, place: int) -> tuple[bytes, Any, int]:
        """Take a row out."""
        return self.links.pop(place), self.values.pop(place), self.times.pop(place)

    def put(self, place: int, row: tuple[bytes, Any, int]) -> None:
        """Put a row in."""
        for column, part in zip((self.links, self.values, self.times), row, strict=True):
            column.insert(place, part)  # type: ignore[attr-defined]  # three lists of three types


def mac_of(key: bytes, link: bytes, value: Any, context: str = CONTEXT) -> bytes:
    """Return the mac of a link."""
    data = value.encode() if isinstance(value, str) else value
    found: bytes = second_reader.mac(key, NAMESPACE, context, b"\1" + link + data)
    return found


def head_of(key: bytes, version: int, count: int, last: bytes, context: str = CONTEXT) -> bytes:
    """Return a head."""
    head = b"\xc1\xa8\x01" + sealing.key_id(key) + struct.pack(">QQ", version, count) + last
    return head + second_reader.mac(key, NAMESPACE, context, b"\2" + head)


def vouched_for(head: bytes | None, rows: list[tuple[Any, str]], wanted: int) -> list[Any] | None:
    """Return the values of the latest rows if the head vouches for them, else None."""
    if head is None:
        return None if rows else []
    try:
        second_reader.read(LEDGER_KEYS, NAMESPACE, CONTEXT, head, [])
    except second_reader.RefusedError as error:
        if str(error) != "head":  # it is authentic, and says that there are rows
            return None
    position, uid, values = struct.unpack(">Q", head[20:28])[0], head[28:44], []
    for stored, time in reversed(rows[-wanted:]):
        try:
            link = second_reader.read_link(LEDGER_KEYS, NAMESPACE, CONTEXT, stored, micros_of(time))
        except Exception:
            return None
        if link[:2] != (position, uid):
            return None
        position, uid = position - 1, link[2]
        values.append(link[3])
    ends = len(rows) >= wanted and position > 0
    return values[::-1] if ends or (position, uid) == (0, bytes(16)) else None


# Edits ------------------------------------------------------------------------------------------


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
