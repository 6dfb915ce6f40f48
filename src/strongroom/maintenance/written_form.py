"""The form that a store's codec writes rows in, told by a row's beginning alone."""

from __future__ import annotations

from strongroom.codec.readers import PlaintextReader
from strongroom.core.core import Core
from strongroom.errors import EnvelopeError
from strongroom.format import envelope
from strongroom.format.ledger import link_key_id
from strongroom.protocols import Reader, Stored
from strongroom.sql.rows import RowPrefix
from strongroom.store.row_decoder import unlinked


class WrittenForm:
    """Tells the rows that the codec, under its primary key, would write otherwise."""

    def __init__(self, core: Core) -> None:
        codec = core.codec
        self._core = core
        self._header = codec.header
        # As many characters of the text form as show the header, and at least the magic.
        self._shown = (max(len(self._header), 3) + 2) // 3 * 4
        self._readers = [
            stage
            for stage in codec.accept
            if isinstance(stage, Reader) and not isinstance(stage, PlaintextReader)
        ]

    def may_differ(self, row: RowPrefix) -> bool:
        """Tell, without the rest of a row, whether it has to be looked at."""
        if self._is_linked_otherwise(row.prefix):
            return True
        known = self._envelope(unlinked(self._core, row.prefix))
        if self._header:
            return known is None or not known.startswith(self._header)
        # Bare JSON has no header, and a reader tells its rows by the whole of them.
        return known is not None or bool(self._readers)

    def differs(self, stored: Stored) -> bool:
        """Tell whether a row that had to be looked at is not in the codec's form."""
        if self._is_linked_otherwise(stored):
            return True
        stored = unlinked(self._core, stored)
        if self._header or self._envelope(stored) is not None:
            return True
        return any(reader.matches(stored) for reader in self._readers)

    def _is_linked_otherwise(self, stored: Stored) -> bool:
        """Tell a row whose link is under another key than the ledger's primary one."""
        ledger = self._core.ledger
        if ledger is None or not envelope.is_linked(stored):
            return False
        return link_key_id(stored) != ledger.keys.primary.id

    def _envelope(self, stored: Stored) -> bytes | None:
        """Return the beginning of an envelope, b"" of a damaged one; None for anything else."""
        if isinstance(stored, bytes):
            return stored if envelope.is_envelope(stored) else None
        try:
            return envelope.from_text(stored[: self._shown])
        except EnvelopeError:
            return b""
