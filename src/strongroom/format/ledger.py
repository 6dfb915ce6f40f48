"""The bytes of a ledger: links, which stand in front of values, and heads.

``docs/row-format.md`` specifies them::

    link 76 = C1 A6 01 | key id 9 | position 8 | time 8 signed | uid 16 | previous uid 16 | mac 16
    head 60 = C1 A8 01 | key id 9 | version 8 | count 8 | last uid 16 | mac 16

In a text column a link is its 102 characters of base64url. Positions count from 1; the time is the
row's ``created_at`` in microseconds of UTC.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple, TypeAlias, cast

from strongroom.errors import EnvelopeError
from strongroom.format import envelope
from strongroom.protocols import Stored

LINK_MAGIC = envelope.LINK_MAGIC
HEAD_MAGIC = b"\xc1\xa8\x01"
LINK_SIZE = 76
LINK_TEXT_SIZE = 102
HEAD_SIZE = 60
MAC_SIZE = 16
NO_UID = bytes(16)

LINK = Struct(">3s9sQq16s16s")
"""A link without its mac."""
HEAD = Struct(">3s9sQQ16s")
"""A head without its mac."""
RECORD = Struct(">3s9sQq16s16s16sH")
"""A whole link, and the two zero bytes that ``records`` puts behind it."""

_URL_SAFE = bytes.maketrans(b"-_+/", b"+/!!")
"""From base64url to base64, whose own two characters are none of base64url."""


class Link(NamedTuple):
    """What a row says of its place in the history."""

    key_id: bytes
    position: int
    time: int
    uid: bytes
    previous: bytes


@dataclass(frozen=True, slots=True)
class Links:
    """The links of several rows, column by column: a long read compares them all at once."""

    key_ids: tuple[bytes, ...] = ()
    positions: tuple[int, ...] = ()
    times: tuple[int, ...] = ()
    uids: tuple[bytes, ...] = ()
    previous: tuple[bytes, ...] = ()

    def __len__(self) -> int:
        return len(self.uids)

    def __getitem__(self, place: int) -> Link:
        return Link(
            self.key_ids[place],
            self.positions[place],
            self.times[place],
            self.uids[place],
            self.previous[place],
        )


@dataclass(frozen=True, slots=True)
class Head:
    """What a session says of its history as a whole; ``raw`` is the head as it is stored."""

    raw: bytes
    version: int
    count: int
    last: bytes

    @property
    def tag(self) -> bytes:
        """The mac, by which a witness tells two heads of one version apart."""
        return self.raw[-MAC_SIZE:]


LinkedRow: TypeAlias = tuple[int, Stored, int]
"""A row as the database holds it: row id, stored value, ``created_at`` in microseconds."""


def link_size(stored: Stored) -> int:
    """Return how much of a linked value its link takes."""
    return LINK_TEXT_SIZE if isinstance(stored, str) else LINK_SIZE


def without_link(stored: Stored) -> Stored:
    """Return what stands behind a link, or a value that begins with none as it is.

    Nothing is verified. Raises EnvelopeError for what begins as a link does and is none.
    """
    if not envelope.is_linked(stored):
        return stored
    link = records([stored])
    if link is None or link[LINK_SIZE:] != bytes(2):
        raise EnvelopeError("The row begins as a ledger's link does, and is truncated or altered.")
    return stored[link_size(stored) :]


def link_key_id(stored: Stored) -> str:
    """Return the key id of a linked value, as text."""
    if isinstance(stored, str):
        return stored[4:16]
    return base64.urlsafe_b64encode(stored[3:12]).decode("ascii")


def to_bytes(value: Stored) -> bytes:
    """Return what of a value is authenticated: text as its UTF-8."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


def records(stored: Sequence[Stored]) -> bytes | None:
    """Return the beginnings of values as ``RECORD``s; None if one is not as long as a link.

    102 characters hold four bits more than a link has. With ``AA`` behind them they are 104, which
    end in two zero bytes if the encoding is canonical; and whole batches are decoded in one go.
    """
    try:
        if stored and isinstance(stored[0], str):
            text = "".join([cast("str", value)[:LINK_TEXT_SIZE] + "AA" for value in stored])
            data = text.encode("ascii").translate(_URL_SAFE)
            joined = binascii.a2b_base64(data, strict_mode=True)
        else:
            joined = b"".join([cast("bytes", value)[:LINK_SIZE] + b"\0\0" for value in stored])
    except (ValueError, TypeError):
        return None
    return joined if len(joined) == RECORD.size * len(stored) else None
