"""Between the items of one session and the rows of its history."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from strongroom.codec.guards import Outcome
from strongroom.codec.row_codec import RowCodec
from strongroom.errors import DecodeError, EncodeError, NotJSONError
from strongroom.format import envelope
from strongroom.protocols import Item, Stored
from strongroom.sql.dialects.base.session import Row
from strongroom.store.store import SessionStore

Hook: TypeAlias = Callable[[Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Conversion:
    """Encodes and decodes for one session, by the store's codec or by a subclass's hooks.

    A hook is None where a subclass has not overridden it: then whole batches go through the codec
    in one go.
    """

    store: SessionStore
    session_id: str
    codec: RowCodec
    serialize: Hook | None
    deserialize: Hook | None

    async def values(self, items: Iterable[Item]) -> list[Stored]:
        """Encode a batch; raises EncodeError, with the session id."""
        try:
            if self.serialize is None:
                return await self.store.encode(self.codec, items)
            return [self._checked(await self.serialize(item)) for item in items]
        except EncodeError as error:
            error.at(self.session_id)
            raise

    def decode(self, row: Row) -> Item:
        """Decode one row by the codec; raises DecodeError, with session id and row id."""
        try:
            return self.codec.decode(row[1])
        except DecodeError as error:
            error.at(self.session_id, row[0])
            raise

    async def outcomes(self, rows: Sequence[Row]) -> list[Outcome]:
        """Decode rows; each that cannot be read becomes its error, with session id and row id."""
        values = [value for _, value in rows]
        if self.deserialize is None:
            outcomes = await self.store.decode(self.codec, values)
        else:
            outcomes = [await _by_hook(self.deserialize, value) for value in values]
        if _has_errors(outcomes):
            for (row_id, _), outcome in zip(rows, outcomes, strict=True):
                if isinstance(outcome, DecodeError):
                    outcome.at(self.session_id, row_id)
        return outcomes

    async def items(self, rows: Sequence[Row]) -> list[Item]:
        """Decode rows, raising or leaving out what cannot be read."""
        outcomes = await self.outcomes(rows)
        if not _has_errors(outcomes):
            return outcomes
        for outcome in outcomes:
            if isinstance(outcome, DecodeError) and not self.store.leaves_out(outcome):
                raise outcome
        return [outcome for outcome in outcomes if not isinstance(outcome, DecodeError)]

    def _checked(self, value: object) -> Stored:
        """Return what an overridden hook made, if the column can hold it on every database."""
        if not self.store.is_text:
            if isinstance(value, str):
                value = value.encode("utf-8", "surrogatepass")
            if isinstance(value, bytes):
                return self._unlinked(value)
        elif isinstance(value, str):
            if "\0" in value or _has_surrogate(value):
                raise EncodeError("_serialize_item returned text with NUL or a lone surrogate.")
            return self._unlinked(value)
        column = "text" if self.store.is_text else "binary"
        raise EncodeError(
            f"_serialize_item returned {type(value).__name__}, which a {column} column cannot hold."
        )

    def _unlinked(self, value: Stored) -> Stored:
        if envelope.is_linked(value):
            raise EncodeError("_serialize_item returned what begins as a ledger's link does.")
        return value


def _has_errors(outcomes: Sequence[Outcome]) -> bool:
    """Whether there is an error among many outcomes, asked of each type once."""
    return any(issubclass(kind, DecodeError) for kind in set(map(type, outcomes)))


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


async def _by_hook(deserialize: Hook, value: Stored) -> Outcome:
    try:
        return await deserialize(value)
    except DecodeError as error:
        return error
    except (json.JSONDecodeError, UnicodeDecodeError):
        # These hold the whole document, so they may not hang on ours.
        return NotJSONError("_deserialize_item found a row that is not JSON.")
    except Exception as error:  # noqa: BLE001 - a hook may raise anything
        problem = DecodeError(f"_deserialize_item failed with {type(error).__name__}.")
        problem.__cause__ = error
        return problem
