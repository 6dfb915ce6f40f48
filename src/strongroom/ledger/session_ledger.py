"""The ledger of one session: it writes links and heads, and verifies them.

Pure: no SQL, no waiting. ``format/ledger.py`` has the bytes, ``docs/ledger.md`` the promises.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from hmac import compare_digest
from typing import NoReturn

from strongroom.errors import HistoryTamperedError, UnknownKeyError
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
from strongroom.ledger.session_macs import SessionMacs
from strongroom.ledger.verification import HistoryVerifier, verify_last
from strongroom.protocols import Stored

_MOST = 2**63 - 1
"""The largest version and count of a head: the next one still fits into its eight bytes."""


class SessionLedger:
    """The ledger of one session; it derives each subkey once."""

    __slots__ = ("_macs", "_primary", "session_id", "witness_key")

    def __init__(self, keys: Keyring, session_id: str, namespace: str) -> None:
        self.session_id = session_id
        self._primary = envelope.key_id_bytes(keys.primary.id)
        self._macs = SessionMacs(keys, session_id, namespace)
        names = envelope.lp(namespace) + envelope.lp(session_id)
        self.witness_key = hashlib.sha256(names).digest()
        """The name by which a witness knows the session."""

    @property
    def key_id(self) -> bytes:
        """The id of the key that links and heads are written under."""
        return self._primary

    def is_current(self, head: Head) -> bool:
        """Tell whether a head is under the primary key."""
        return head.raw[3:12] == self._primary

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
        raw += self._macs.of(self._primary, b"\2" + raw)
        return Head(raw, version, count, last)

    def _linked(self, link: Link, value: Stored) -> Stored:
        raw = LINK.pack(LINK_MAGIC, *link)
        raw += self._macs.of(link.key_id, b"\1" + raw + to_bytes(value))
        return to_text(raw) + value if isinstance(value, str) else raw + value

    def open_head(self, raw: bytes | None) -> Head | None:
        """Verify a stored head; None stays None."""
        if raw is None:
            return None
        if len(raw) != HEAD_SIZE or raw[:3] != HEAD_MAGIC:
            self.refuse("the head is malformed")
        _, key_id, version, count, last = HEAD.unpack(raw[:-MAC_SIZE])
        if not compare_digest(self._macs.of(key_id, b"\2" + raw[:-MAC_SIZE]), raw[-MAC_SIZE:]):
            self.refuse("the head is not authentic")
        if max(version, count) > _MOST:
            self.refuse("the head's numbers are larger than any that were ever written")
        return Head(raw, version, count, last)

    def open_rows(self, rows: Sequence[LinkedRow]) -> tuple[Links, list[Stored]]:
        """Verify the link of each row by itself; returns them and the values behind them."""
        opened = self._open_together(rows) if rows else (Links(), [])
        if opened is None:
            self._refuse_one(rows)
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
            authentic = compare_digest(self._macs.of_links(joined, key_ids, values), b"".join(tags))
        except UnknownKeyError:
            return None
        return (Links(key_ids, positions, times, uids, previous), values) if authentic else None

    def _refuse_one(self, rows: Sequence[LinkedRow]) -> NoReturn:
        """Refuse rows of which one does not verify, and say which."""
        kind = type(rows[0][1])
        for row_id, stored, created_at in rows:
            record = records([stored]) if type(stored) is kind else None
            if record is None or record[:3] != LINK_MAGIC or record[LINK_SIZE:] != bytes(2):
                self.refuse("the row has no link", row_id)
            _, key_id, position, time, _, _, tag, _ = RECORD.unpack(record)
            value = stored[link_size(stored) :]
            try:
                mac = self._macs.of_links(record, [key_id], [value])
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
        verifier = HistoryVerifier(self)
        opened = verifier.follow(head, rows)
        verifier.finish(head)
        return opened

    def verify_last(
        self, head: Head | None, rows: Sequence[LinkedRow], wanted: int
    ) -> tuple[Links, list[Stored]]:
        """Verify the latest rows, back from the head; fewer than wanted have to be all."""
        return verify_last(self, head, rows, wanted)

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
