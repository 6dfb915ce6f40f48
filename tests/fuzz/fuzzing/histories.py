"""Histories as docs/row-format.md writes them, and what a head vouches for."""

from __future__ import annotations

import base64
import datetime as dt
import struct
from dataclasses import dataclass, field
from random import Random
from typing import Any

from fuzzing import sealing
from fuzzing.golden import second_reader
from fuzzing.good_rows import good
from fuzzing.sealing import CONTEXT, KEYS, NAMESPACE

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
