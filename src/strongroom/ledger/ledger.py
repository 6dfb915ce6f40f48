"""A tamper-evident history: each row is linked to the one before it, a head vouches for the last.

Pure: no SQL, no waiting. ``links.py`` has the bytes, ``docs/ledger.md`` what it is good for.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import NoReturn

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from strongroom.errors import ConfigurationError, HistoryTamperedError, UnknownKeyError
from strongroom.format import envelope
from strongroom.format.ledger import (
    HEAD,
    HEAD_MAGIC,
    HEAD_SIZE,
    LINK,
    LINK_MAGIC,
    LINK_SIZE,
    MAC_SIZE,
    NO_UID,
    RECORD,
    Head,
    Link,
    LinkedRow,
    Links,
    link_size,
    records,
    to_bytes,
)
from strongroom.format.text import to_text
from strongroom.keys.keyring import Keyring
from strongroom.protocols import Stored, Witness

_INFO = b"strongroom ledger v1"


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

    __slots__ = ("_keys", "_macs", "_names", "_primary", "session_id", "witness_key")

    def __init__(self, keys: Keyring, session_id: str, namespace: str) -> None:
        self.session_id = session_id
        self._keys = keys
        self._names = envelope.lp(namespace) + envelope.lp(session_id)
        self._primary = envelope.key_id_bytes(keys.primary.id)
        self._macs: dict[bytes, HMAC] = {}
        self.witness_key = hashlib.sha256(self._names).digest()
        """What a witness knows the session by."""

    @property
    def key_id(self) -> bytes:
        """The id of the key that links and heads are written under."""
        return self._primary

    def is_current(self, head: Head) -> bool:
        """Tell whether a head is under the primary key."""
        return head.raw[3:12] == self._primary

    # Writing ------------------------------------------------------------------------------------

    def append(
        self, head: Head | None, values: Sequence[Stored], times: Sequence[int]
    ) -> tuple[list[Stored], Head]:
        """Link values behind a head; returns the linked values and the head that follows."""
        count, last = (head.count, head.last) if head else (0, NO_UID)
        return self.rebuild(head, count, last, values, times)

    def rebuild(
        self,
        head: Head | None,
        count: int,
        last: bytes,
        values: Sequence[Stored],
        times: Sequence[int],
    ) -> tuple[list[Stored], Head]:
        """Link values behind the first rows, of which ``last`` is the last one's uid.

        Returns the linked values and the head that follows the given one.
        """
        linked, last = self.link(count, last, values, times)
        version = head.version if head else 0
        return linked, self.make_head(version + 1, count + len(linked), last)

    def link(
        self, count: int, last: bytes, values: Sequence[Stored], times: Sequence[int]
    ) -> tuple[list[Stored], bytes]:
        """Link values behind so many rows; returns the linked values and the last uid."""
        linked: list[Stored] = []
        for value, time in zip(values, times, strict=True):
            count += 1
            uid = os.urandom(16)
            linked.append(self._linked(Link(self._primary, count, time, uid, last), value))
            last = uid
        return linked, last

    def relink(self, link: Link, value: Stored) -> Stored:
        """Put a new value behind a link, under the primary key."""
        return self._linked(link._replace(key_id=self._primary), value)

    def make_head(self, version: int, count: int, last: bytes) -> Head:
        """Return a head under the primary key."""
        raw = HEAD.pack(HEAD_MAGIC, self._primary, version, count, last)
        raw += self._mac(self._primary, b"\2" + raw)
        return Head(raw, version, count, last)

    def _linked(self, link: Link, value: Stored) -> Stored:
        raw = LINK.pack(LINK_MAGIC, *link)
        raw += self._mac(link.key_id, b"\1" + raw + to_bytes(value))
        return to_text(raw) + value if isinstance(value, str) else raw + value

    # Verifying ----------------------------------------------------------------------------------

    def open_head(self, raw: bytes | None) -> Head | None:
        """Verify a stored head; None stays None."""
        if raw is None:
            return None
        if len(raw) != HEAD_SIZE or raw[:3] != HEAD_MAGIC:
            self.refuse("the head is malformed")
        _, key_id, version, count, last = HEAD.unpack(raw[:-MAC_SIZE])
        if not compare_digest(self._mac(key_id, b"\2" + raw[:-MAC_SIZE]), raw[-MAC_SIZE:]):
            self.refuse("the head is not authentic")
        return Head(raw, version, count, last)

    def open_rows(self, rows: Sequence[LinkedRow]) -> tuple[Links, list[Stored]]:
        """Verify the link of each row by itself; returns them and the values behind them."""
        opened = self._open_together(rows) if rows else (Links(), [])
        if opened is None:
            self._refuse_one_of(rows)
        return opened

    def _open_together(self, rows: Sequence[LinkedRow]) -> tuple[Links, list[Stored]] | None:
        """Verify the links of rows column by column; None if one of them is not authentic."""
        stored = [row[1] for row in rows]
        joined = records(stored)
        if joined is None:
            return None
        size = link_size(stored[0])
        values = [value[size:] for value in stored]
        magics, key_ids, positions, times, uids, previous, tags, rests = zip(
            *RECORD.iter_unpack(joined), strict=True
        )
        if set(magics) != {LINK_MAGIC} or any(rests) or list(times) != [row[2] for row in rows]:
            return None
        try:
            authentic = compare_digest(self._macs_of(joined, key_ids, values), b"".join(tags))
        except UnknownKeyError:
            return None
        return (Links(key_ids, positions, times, uids, previous), values) if authentic else None

    def _macs_of(self, joined: bytes, key_ids: Sequence[bytes], values: Sequence[Stored]) -> bytes:
        """Return the macs of links, one behind the other."""
        macs: list[bytes] = []
        start = 0
        # The loop that a long read spends its time in: no calls but those that it needs.
        known = self._macs
        for key_id, value in zip(key_ids, values, strict=True):
            data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
            mac = (known.get(key_id) or self._derive(key_id)).copy()
            mac.update(b"\1" + joined[start : start + LINK.size] + data)
            macs.append(mac.finalize()[:MAC_SIZE])
            start += RECORD.size
        return b"".join(macs)

    def _refuse_one_of(self, rows: Sequence[LinkedRow]) -> NoReturn:
        """Refuse rows of which one does not verify, and say which."""
        kind = type(rows[0][1])
        for row_id, stored, created_at in rows:
            record = records([stored]) if type(stored) is kind else None
            if record is None or record[:3] != LINK_MAGIC or record[LINK_SIZE:] != bytes(2):
                self.refuse("the row has no link", row_id)
            _, key_id, position, time, _, _, tag, _ = RECORD.unpack(record)
            value = stored[link_size(stored) :]
            try:
                mac = self._macs_of(record, [key_id], [value])
            except UnknownKeyError as error:
                error.at(self.session_id, row_id)
                raise
            if not compare_digest(mac, tag):
                self.refuse("the row is not authentic", row_id, position)
            if time != created_at:
                self.refuse("the row's created_at has been changed", row_id, position)
        self.refuse("the rows are not authentic")

    def open_value(self, stored: Stored, row_id: int) -> tuple[Link, Stored]:
        """Verify a link against its value alone, whatever ``created_at`` the row has."""
        joined = records([stored])
        time = RECORD.unpack(joined)[3] if joined else 0
        links, values = self.open_rows([(row_id, stored, time)])
        return links[0], values[0]

    def verify_all(self, head: Head | None, rows: Sequence[LinkedRow]) -> list[Stored]:
        """Verify a whole history, oldest row first; returns its values."""
        return self.verify_links(head, rows)[1]

    def verify_links(
        self, head: Head | None, rows: Sequence[LinkedRow]
    ) -> tuple[Links, list[Stored]]:
        """Verify a whole history, oldest row first; returns its links and values."""
        chain = Chain(self)
        opened = chain.follow(head, rows)
        chain.finish(head)
        return opened

    def verify_last(
        self, head: Head | None, rows: Sequence[LinkedRow], wanted: int
    ) -> tuple[Links, list[Stored]]:
        """Verify the latest rows, back from the head; fewer than wanted have to be all."""
        self.check_headed(head, rows)
        links, values = self.open_rows(rows)
        position, uid = (head.count, head.last) if head else (0, NO_UID)
        for place in reversed(range(len(links))):
            if links.positions[place] != position:
                self.refuse(
                    f"position {position} is expected here", rows[place][0], links.positions[place]
                )
            if links.uids[place] != uid:
                self.refuse("another row is expected here", rows[place][0], position)
            position, uid = position - 1, links.previous[place]
        if len(rows) < wanted and position:
            self.refuse(f"the rows up to position {position} are missing")
        if position == 0 and uid != NO_UID:
            self.refuse("the first row has one before it")
        return links, values

    def check_headed(self, head: Head | None, rows: Sequence[LinkedRow]) -> None:
        """Refuse rows without a head."""
        if head is None and rows:
            known = envelope.is_linked(rows[0][1])
            advice = "" if known else " (rows of before the ledger? `strongroom ledger adopt`)"
            self.refuse(f"the session has rows and no head{advice}", rows[0][0])

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
        mac = (self._macs.get(key_id) or self._derive(key_id)).copy()
        mac.update(message)
        return mac.finalize()[:MAC_SIZE]

    def _derive(self, key_id: bytes) -> HMAC:
        try:
            key = self._keys.get(base64.urlsafe_b64encode(key_id).decode("ascii"))
        except UnknownKeyError as error:
            error.at(self.session_id)
            raise
        subkey = key.derive(_INFO + key_id + self._names, 32)
        mac = self._macs[key_id] = HMAC(subkey, SHA256())
        return mac


class Chain:
    """Follows a history from its first row, in as many batches as it takes."""

    def __init__(self, ledger: BoundLedger) -> None:
        self._ledger = ledger
        self._count = 0
        self._last = NO_UID

    def follow(self, head: Head | None, rows: Sequence[LinkedRow]) -> tuple[Links, list[Stored]]:
        """Verify the next rows, read together with a head; returns their links and values."""
        self._ledger.check_headed(head, rows)
        links, values = self._ledger.open_rows(rows)
        before = (self._last, *links.uids)
        expected = tuple(range(self._count + 1, self._count + len(links) + 1))
        if links.positions != expected or links.previous != before[:-1]:
            self._refuse_break(rows, links, expected, before)
        self._count, self._last = self._count + len(links), before[-1]
        return links, values

    def _refuse_break(
        self,
        rows: Sequence[LinkedRow],
        links: Links,
        expected: Sequence[int],
        before: Sequence[bytes],
    ) -> NoReturn:
        for row, position, found, previous, last in zip(
            rows, expected, links.positions, links.previous, before, strict=False
        ):
            if found != position:
                self._ledger.refuse(f"position {position} is expected here", row[0], found)
            if previous != last:
                self._ledger.refuse("it does not follow the row before it", row[0], found)
        self._ledger.refuse("its rows do not follow one another")

    def finish(self, head: Head | None) -> None:
        """Verify that the history ends where its head says."""
        count, last = (head.count, head.last) if head else (0, NO_UID)
        if self._count != count:
            self._ledger.refuse(f"it has {self._count} rows and should have {count}")
        if self._last != last:
            self._ledger.refuse("another row is expected at its end", None, count)
