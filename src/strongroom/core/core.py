"""A codec and a pair of tables: the object that sessions and stores share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from strongroom.codec.codec import Codec
from strongroom.codec.guards import Outcome
from strongroom.codec.row_codec import RowCodec
from strongroom.core import offload
from strongroom.core.session_ids import check_session_id
from strongroom.core.unreadable import UnreadableRows
from strongroom.errors import StrongroomError
from strongroom.history.ledgered import LedgeredHistory
from strongroom.history.plain import PlainHistory
from strongroom.history.protocol import History
from strongroom.ledger.ledger import Ledger
from strongroom.protocols import Item, Stored
from strongroom.sql.runner import Runner


@dataclass(frozen=True, slots=True)
class Core:
    """Rows of many sessions in one pair of tables, and the codec that they are written by.

    ``is_text`` says that rows lie in a text column.
    """

    runner: Runner
    codec: Codec
    namespace: str
    ledger: Ledger | None
    unreadable: UnreadableRows
    is_text: bool

    def check_session_id(self, session_id: object) -> None:
        """Raise ValueError for an id that this database could not tell from another."""
        check_session_id(session_id, self.runner.database.session_id_bytes)

    def row_codec(self, session_id: str) -> RowCodec:
        """Return the codec for the rows of one session."""
        return self.codec.bind(session_id, self.namespace)

    def history(self, session_id: str) -> History:
        """Return the rows of one session."""
        if self.ledger is None:
            return PlainHistory(self.runner, session_id)
        return self.ledgered_history(session_id, self.ledger)

    def ledgered_history(self, session_id: str, ledger: Ledger) -> LedgeredHistory:
        """Return the rows of one session of a store with this ledger."""
        bound = ledger.bind(session_id, self.namespace)
        return LedgeredHistory(self.runner, session_id, bound, ledger.witness)

    def column_value(self, codec: RowCodec, item: Item) -> Stored:
        """Return an item in the form of the column: str or bytes; raises EncodeError."""
        try:
            return codec.encode_text(item) if self.is_text else codec.encode(item)
        finally:
            del item  # an error keeps this frame

    async def encode(self, codec: RowCodec, items: Iterable[Item]) -> list[Stored]:
        """Encode a batch; long work is done in a thread, and the event loop goes on.

        Raises EncodeError, without a traceback: its frames hold items.
        """
        encode_one = codec.encode_text if self.is_text else codec.encode
        try:
            return await offload.encode(encode_one, items)
        except StrongroomError as error:
            refusal = error.with_traceback(None)
        finally:
            del items
        raise refusal

    async def decode(self, codec: RowCodec, stored: Sequence[Stored]) -> list[Outcome]:
        """Decode rows; long work is done in a thread, and the event loop goes on.

        Raises MissingDependencyError, without a traceback: its frames hold items.
        """
        try:
            return await offload.decode(codec, stored)
        except StrongroomError as error:
            refusal = error.with_traceback(None)
        raise refusal
