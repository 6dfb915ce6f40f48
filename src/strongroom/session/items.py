"""Between the items of one session and the rows of its history."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from strongroom.codec.guards import Outcome
from strongroom.core.core import Core
from strongroom.core.unreadable import has_errors, readable
from strongroom.errors import DecodeError, EncodeError, NotJSONError
from strongroom.format import envelope
from strongroom.protocols import Item, Stored
from strongroom.sql.rows import Row

Hook: TypeAlias = Callable[[Any], Awaitable[Any]]


class SessionItems:
    """Encodes and decodes for one session, by the core's codec or by a subclass's hooks.

    A hook is None where a subclass has not overridden it: then whole batches go through the codec
    in one go. No method raises while it holds items: a traceback would keep them.
    """

    __slots__ = ("_core", "codec", "session_id")

    def __init__(self, core: Core, session_id: str) -> None:
        self._core = core
        self.session_id = session_id
        self.codec = core.row_codec(session_id)

    # To rows --------------------------------------------------------------------------------------

    async def encode(self, items: Iterable[Item], hook: Hook | None) -> list[Stored]:
        """Encode a batch; raises EncodeError, with the session id."""
        try:
            if hook is None:
                return await self._core.encode(self.codec, items)
            return await self._encode_by_hook(items, hook)
        except EncodeError as error:
            refusal = error.at(self.session_id).with_traceback(None)
        finally:
            del items  # an error keeps this frame
        raise refusal

    async def _encode_by_hook(self, items: Iterable[Item], hook: Hook) -> list[Stored]:
        values, item = [], None
        try:
            for item in items:
                values.append(self._checked(await hook(item)))
        finally:
            del items, item  # an error keeps this frame
        return values

    def _checked(self, value: object) -> Stored:
        """Return a hook's value, if the column can hold it on every database."""
        if not self._core.is_text:
            if isinstance(value, str):
                value = value.encode("utf-8", "surrogatepass")
            if isinstance(value, bytes):
                return _unlinked(value)
        elif isinstance(value, str):
            if "\0" in value or _has_surrogate(value):
                raise EncodeError("_serialize_item returned text with NUL or a lone surrogate.")
            return _unlinked(value)
        column = "text" if self._core.is_text else "binary"
        raise EncodeError(
            f"_serialize_item returned {type(value).__name__}, which a {column} column cannot hold."
        )

    # From rows ------------------------------------------------------------------------------------

    async def decode(self, rows: Sequence[Row], hook: Hook | None) -> list[Item]:
        """Decode rows; a row that cannot be read raises DecodeError, or is left out."""
        outcomes = await self._outcomes(rows, hook)
        if not has_errors(outcomes):
            return outcomes
        self._locate(rows, outcomes)
        refused = self._core.unreadable.first_refused(outcomes)
        if refused is not None:
            del outcomes
            raise refused
        return readable(outcomes)

    async def outcomes(self, rows: Sequence[Row], hook: Hook | None) -> list[Outcome]:
        """Decode rows; each that cannot be read becomes its error, with session id and row id."""
        outcomes = await self._outcomes(rows, hook)
        if has_errors(outcomes):
            self._locate(rows, outcomes)
        return outcomes

    async def _outcomes(self, rows: Sequence[Row], hook: Hook | None) -> list[Outcome]:
        values = [value for _, value in rows]
        if hook is None:
            return await self._core.decode(self.codec, values)
        return [await _by_hook(hook, value) for value in values]

    def _locate(self, rows: Sequence[Row], outcomes: Sequence[Outcome]) -> None:
        """Tell each error its session id and row id."""
        for (row_id, _), outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, DecodeError):
                outcome.at(self.session_id, row_id)

    def decode_one(self, row: Row) -> Item:
        """Decode one row by the codec; raises DecodeError, with session id and row id."""
        try:
            return self.codec.decode(row[1])
        except DecodeError as error:
            error.at(self.session_id, row[0])
            raise

    def leaves_out(self, error: DecodeError) -> bool:
        """Tell whether a row that cannot be read is left out."""
        return self._core.unreadable.leaves_out(error)


@dataclass(frozen=True, slots=True)
class ReadableRows:
    """Picks, for a pop, the newest row that can be read."""

    items: SessionItems
    hook: Hook | None

    @property
    def decode_one(self) -> Callable[[Row], Item] | None:
        """Decodes one row by the codec, or raises DecodeError; None where a hook decodes."""
        return self.items.decode_one if self.hook is None else None

    def leaves_out(self, error: DecodeError) -> bool:
        """Tell whether a row that cannot be read is passed over."""
        return self.items.leaves_out(error)

    async def pick(self, rows: Sequence[Row]) -> tuple[Row, Item] | None:
        """Return the newest row that can be read, and its item; None if all are passed over."""
        for row in reversed(rows):
            (outcome,) = await self.items.outcomes([row], self.hook)
            if not isinstance(outcome, DecodeError):
                return row, outcome
            if not self.leaves_out(outcome):
                raise outcome
        return None


def _unlinked(value: Stored) -> Stored:
    if envelope.is_linked(value):
        raise EncodeError("_serialize_item returned a value that begins as a ledger's link does.")
    return value


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
        problem.__cause__ = None if _holds_document(error) else error
        return problem


def _holds_document(error: BaseException) -> bool:
    """Tell an error, or one behind it, that carries the whole text that it is about."""
    chain: list[BaseException] = [error]
    for current in chain:  # it grows while it is walked
        if isinstance(current, json.JSONDecodeError | UnicodeError):
            return True
        behind = (current.__cause__, current.__context__)
        chain += [other for other in behind if other is not None and other not in chain]
    return False
