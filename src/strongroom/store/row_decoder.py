"""Decodes and encodes the rows of a walk, whose sessions follow one another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import groupby

from strongroom.codec.guards import Outcome
from strongroom.codec.row_codec import RowCodec
from strongroom.core.core import Core
from strongroom.errors import EnvelopeError, StrongroomError
from strongroom.format.ledger import RECORD, records, without_link
from strongroom.ledger.session_ledger import SessionLedger
from strongroom.protocols import Item, Stored
from strongroom.sql import raw_ids
from strongroom.sql.rows import StoredRow
from strongroom.sql.times import micros_to_utc


class RowDecoder:
    """Decodes the rows of a walk; consecutive rows of one session share its subkeys."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._session_id: str | None = None
        self._codec = core.row_codec("")
        self._ledger: SessionLedger | None = None

    def codec_of(self, session_id: str) -> RowCodec:
        """Return the codec for a session's rows."""
        if session_id != self._session_id:
            self._codec = self._core.row_codec(session_id)
            if self._core.ledger is not None:
                self._ledger = self._core.ledger.bind(session_id, self._core.namespace)
            self._session_id = session_id
        return self._codec

    def encode(self, row: StoredRow, item: Item) -> Stored:
        """Return the value that takes the place of a row's; raises EncodeError.

        A ledger's link is verified, or an edit would be made to look genuine, and stays.
        """
        try:
            value = self._core.column_value(self.codec_of(row.session_id), item)
        finally:
            del item  # an error keeps this frame
        if self._ledger is None:
            return value
        link, _ = self._ledger.open_value(row.value, row.row_id)
        return self._ledger.relink(link, value)

    def created_at(self, row: StoredRow) -> dt.datetime | None:
        """Return the time of a row that was decoded: under a ledger that of its link, verified.

        A ledger's own rows have UTC in a column that others fill in the zone of their connection.
        """
        if self._core.ledger is None:
            return row.created_at
        joined = records([row.value])
        return None if joined is None else micros_to_utc(RECORD.unpack(joined)[3])

    async def decode(self, rows: Sequence[StoredRow]) -> list[Outcome]:
        """Return each row's item, or the StrongroomError that says where."""
        outcomes: list[Outcome] = []
        for session_id, group in groupby(rows, key=lambda row: row.session_id):
            if not raw_ids.is_text(session_id):
                outcomes += [raw_ids.refusal(session_id, row.row_id) for row in group]
                continue
            codec = self.codec_of(session_id)
            if self._ledger is not None:
                outcomes += [self._open_linked(codec, self._ledger, row) for row in group]
                continue
            values = [row.value for row in group]
            try:
                outcomes += await self._core.decode(codec, values)
            except StrongroomError:
                # The library that a row needs is not installed: the others may still be read.
                outcomes += [_outcome(codec, value) for value in values]
        for row, outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, StrongroomError) and raw_ids.is_text(row.session_id):
                outcome.at(row.session_id, row.row_id)
        return outcomes

    @staticmethod
    def _open_linked(codec: RowCodec, ledger: SessionLedger, row: StoredRow) -> Outcome:
        try:
            return codec.decode(ledger.open_value(row.value, row.row_id)[1])
        except StrongroomError as error:
            return error


def unlinked(core: Core, stored: Stored) -> Stored:
    """Return a value without the link of a store with a ledger; a damaged link stays."""
    try:
        return stored if core.ledger is None else without_link(stored)
    except EnvelopeError:
        return stored


def _outcome(codec: RowCodec, value: Stored) -> Outcome:
    try:
        return codec.decode(value)
    except StrongroomError as error:
        return error
