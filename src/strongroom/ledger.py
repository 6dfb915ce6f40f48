"""A tamper-evident history: each row is linked to the one before it, a head vouches for the last.

Pure: no SQL, no waiting. ``docs/row-format.md`` specifies the bytes::

    link 76 = C1 A6 01 | key id 9 | position 8 | time 8 signed | uid 16 | previous uid 16 | mac 16
    head 60 = C1 A8 01 | key id 9 | version 8 | count 8 | last uid 16 | mac 16

A link stands in front of the stored value, in a text column as its 102 characters of base64url.
Positions count from 1; the time is the row's ``created_at`` in microseconds of UTC.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple, NoReturn, TypeAlias

from strongroom import envelope
from strongroom.errors import ConfigurationError, HistoryTamperedError, UnknownKeyError
from strongroom.keys import Keyring
from strongroom.protocols import Stored, Witness

LINK_MAGIC = envelope.LINK_MAGIC
HEAD_MAGIC = b"\xc1\xa8\x01"
LINK_SIZE = 76
LINK_TEXT_SIZE = 102
HEAD_SIZE = 60
NO_UID = bytes(16)

_MAC_SIZE = 16
_LINK = Struct(">3s9sQq16s16s")
_HEAD = Struct(">3s9sQQ16s")
_INFO = b"strongroom ledger v1"
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
class Head:
    """What a session says of its history as a whole; ``raw`` is the head as it is stored."""

    raw: bytes
    version: int
    count: int
    last: bytes

    @property
    def tag(self) -> bytes:
        """The mac, by which a witness tells two heads of one version apart."""
        return self.raw[-_MAC_SIZE:]


LinkedRow: TypeAlias = tuple[int, Stored, int]
"""A row as the database holds it: row id, stored value, ``created_at`` in microseconds."""


@dataclass(frozen=True)
class Ledger:
    """Turns a session's rows into a history that cannot be rewritten unnoticed.

    ``keys`` authenticate: the primary writes, all verify. ``witness`` remembers the newest head
    outside the database; without one, a session can be set back to a state that it once had.
    """

    keys: Keyring
    witness: Witness | None = None

    def __post_init__(self) -> None:
        """Check the arguments."""
        if not isinstance(self.keys, Keyring):
            raise ConfigurationError("A Ledger takes a Keyring: Ledger(Keyring(…)).")
        if self.witness is not None and not isinstance(self.witness, Witness):
            raise ConfigurationError("A ledger's witness has the methods seen and advance.")

    def bind(self, session_id: str, namespace: str = "") -> BoundLedger:
        """Return the ledger of one session."""
        return BoundLedger(self.keys, session_id, namespace)


class BoundLedger:
    """The ledger of one session: writes links and heads, and verifies them."""

    __slots__ = ("_keys", "_names", "_primary", "_subkeys", "session_id", "witness_key")

    def __init__(self, keys: Keyring, session_id: str, namespace: str) -> None:
        self.session_id = session_id
        self._keys = keys
        self._names = envelope.lp(namespace) + envelope.lp(session_id)
        self._primary = envelope.key_id_bytes(keys.primary.id)
        self._subkeys: dict[bytes, bytes] = {}
        self.witness_key = hashlib.sha256(self._names).digest()
        """What a witness knows the session by."""

    # Writing ------------------------------------------------------------------------------------

    def append(
        self, head: Head | None, values: Sequence[Stored], times: Sequence[int]
    ) -> tuple[list[Stored], Head]:
        """Link values behind a head; returns the linked values and the head that follows."""
        if head is None:
            return self._extend(0, 0, NO_UID, values, times)
        return self._extend(head.version, head.count, head.last, values, times)

    def restart(
        self, head: Head | None, values: Sequence[Stored], times: Sequence[int]
    ) -> tuple[list[Stored], Head]:
        """Link values as a whole new history, which takes the place of the one under a head."""
        return self._extend(head.version if head else 0, 0, NO_UID, values, times)

    def cut(self, head: Head, link: Link) -> Head:
        """Return the head that follows when the last row, which has this link, is removed."""
        return self._make_head(head.version + 1, head.count - 1, link.previous)

    def renew(self, head: Head) -> Head:
        """Return the next version of a head, under the primary key, for the same rows."""
        return self._make_head(head.version + 1, head.count, head.last)

    def relink(self, link: Link, value: Stored) -> Stored:
        """Put a new value behind a link, for a row that is written in another form."""
        return self._link(link.position, link.time, link.uid, link.previous, value)

    @property
    def key_id(self) -> bytes:
        """The id of the key that links and heads are written under."""
        return self._primary

    def is_current(self, link: Link) -> bool:
        """Tell whether a link is under the primary key."""
        return link.key_id == self._primary

    def _extend(
        self,
        version: int,
        count: int,
        last: bytes,
        values: Sequence[Stored],
        times: Sequence[int],
    ) -> tuple[list[Stored], Head]:
        linked = []
        for value, time in zip(values, times, strict=True):
            count += 1
            uid = os.urandom(16)
            linked.append(self._link(count, time, uid, last, value))
            last = uid
        return linked, self._make_head(version + 1, count, last)

    def _link(self, position: int, time: int, uid: bytes, previous: bytes, value: Stored) -> Stored:
        link = _LINK.pack(LINK_MAGIC, self._primary, position, time, uid, previous)
        data = value.encode() if isinstance(value, str) else value
        link += self._mac(self._primary, b"\1" + link + data)
        return envelope.to_text(link) + value if isinstance(value, str) else link + value

    def _make_head(self, version: int, count: int, last: bytes) -> Head:
        raw = _HEAD.pack(HEAD_MAGIC, self._primary, version, count, last)
        raw += self._mac(self._primary, b"\2" + raw)
        return Head(raw, version, count, last)

    # Verifying ----------------------------------------------------------------------------------

    def open_head(self, raw: bytes | None) -> Head | None:
        """Verify a stored head; None stays None."""
        if raw is None:
            return None
        if len(raw) != HEAD_SIZE or raw[:3] != HEAD_MAGIC:
            self.refuse("the head is malformed")
        _, key_id, version, count, last = _HEAD.unpack(raw[:-_MAC_SIZE])
        mac = self._mac(key_id, b"\2" + raw[:-_MAC_SIZE])
        if not hmac.compare_digest(mac, raw[-_MAC_SIZE:]):
            self.refuse("the head is not authentic")
        return Head(raw, version, count, last)

    def open_row(self, row: LinkedRow) -> tuple[Link, Stored]:
        """Verify the link of a row by itself; returns it and the value behind it."""
        row_id, stored, created_at = row
        data: bytes
        value: Stored
        if isinstance(stored, str):
            value = stored[LINK_TEXT_SIZE:]
            raw, data = _from_text(stored[:LINK_TEXT_SIZE]), value.encode("utf-8", "surrogatepass")
        else:
            raw, data = stored[:LINK_SIZE], stored[LINK_SIZE:]
            value = data
        if len(raw) != LINK_SIZE or raw[:3] != LINK_MAGIC:
            self.refuse("the row has no link", row_id)
        _, key_id, position, time, uid, previous = _LINK.unpack_from(raw)
        mac = self._mac(key_id, b"\1" + raw[:-_MAC_SIZE] + data)
        if not hmac.compare_digest(mac, raw[-_MAC_SIZE:]):
            self.refuse("the row is not authentic", row_id, position)
        if time != created_at:
            self.refuse("the row's created_at has been changed", row_id, position)
        return Link(key_id, position, time, uid, previous), value

    def verify_all(self, head: Head | None, rows: Sequence[LinkedRow]) -> list[Stored]:
        """Verify a whole history, oldest row first; returns its values."""
        chain = Chain(self)
        values = list(map(chain.follow, rows))
        chain.finish(head)
        return values

    def verify_last(
        self, head: Head | None, rows: Sequence[LinkedRow], wanted: int
    ) -> tuple[list[Stored], list[Link]]:
        """Verify the latest rows, back from the head; fewer than wanted have to be all."""
        if head is None and rows:
            self.refuse("the session has rows and no head", rows[-1][0])
        opened = [self.open_row(row) for row in rows]
        position = head.count if head else 0
        uid = head.last if head else NO_UID
        for row, (link, _) in zip(reversed(rows), reversed(opened), strict=True):
            if link.position != position:
                self.refuse(f"position {position} is expected here", row[0], link.position)
            if link.uid != uid:
                self.refuse("another row is expected here", row[0], link.position)
            position, uid = link.position - 1, link.previous
        if len(rows) < wanted and (position != 0 or uid != NO_UID):
            self.refuse(f"the rows up to position {position} are missing")
        if position == 0 and uid != NO_UID:
            self.refuse("the first row has one before it")
        return [value for _, value in opened], [link for link, _ in opened]

    def refuse(
        self, check: str, row_id: int | None = None, position: int | None = None
    ) -> NoReturn:
        """Raise HistoryTamperedError, saying which check failed and where."""
        where = "" if position is None else f" at position {position}"
        raise HistoryTamperedError(
            f"The history is not what its ledger recorded: {check}{where}. Somebody has changed "
            f"the database, or a writer without this ledger and its keys has."
        ).at(self.session_id, row_id)

    def _mac(self, key_id: bytes, message: bytes) -> bytes:
        subkey = self._subkeys.get(key_id) or self._derive(key_id)
        return hmac.digest(subkey, message, "sha256")[:_MAC_SIZE]

    def _derive(self, key_id: bytes) -> bytes:
        try:
            key = self._keys.get(base64.urlsafe_b64encode(key_id).decode("ascii"))
        except UnknownKeyError as error:
            error.at(self.session_id)
            raise
        subkey = self._subkeys[key_id] = key.derive(_INFO + key_id + self._names, 32)
        return subkey


class Chain:
    """Follows a history from its first row, in as many batches as it takes."""

    def __init__(self, ledger: BoundLedger) -> None:
        self._ledger = ledger
        self._count = 0
        self._last = NO_UID

    def follow(self, row: LinkedRow) -> Stored:
        """Verify the next row; returns its value."""
        link, value = self._ledger.open_row(row)
        if link.position != self._count + 1:
            self._ledger.refuse(
                f"position {self._count + 1} is expected here", row[0], link.position
            )
        if link.previous != self._last:
            self._ledger.refuse("it does not follow the row before it", row[0], link.position)
        self._count, self._last = link.position, link.uid
        return value

    def finish(self, head: Head | None) -> None:
        """Verify that the history ends where its head says."""
        if head is None:
            if self._count:
                self._ledger.refuse("the session has rows and no head")
        elif self._count != head.count or self._last != head.last:
            self._ledger.refuse(
                f"it has {self._count} rows and should have {head.count}, or another last one"
            )


def _from_text(text: str) -> bytes:
    """Return the bytes of a link's text form, or none if it is not canonical.

    102 characters hold four bits more than a link has: they are zero in four last characters.
    """
    if text[-1:] not in {"A", "Q", "g", "w"}:
        return b""
    try:
        return binascii.a2b_base64(
            text.encode("ascii").translate(_URL_SAFE) + b"==", strict_mode=True
        )
    except ValueError:
        return b""
