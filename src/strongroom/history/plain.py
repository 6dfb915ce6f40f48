"""The rows of one session without a ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from strongroom.errors import DecodeError
from strongroom.history.protocol import OPTIMISTIC_TRIES, Picker, Popped
from strongroom.protocols import Item, Stored
from strongroom.sql.retry import Deadline
from strongroom.sql.rows import FIRST_ID, Row
from strongroom.sql.runner import Runner

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from strongroom.sql.dialects.base.session import SessionStatements


class PlainHistory:
    """The rows of a session, as they lie in the database."""

    def __init__(self, runner: Runner, session_id: str) -> None:
        self._runner = runner
        self._session_id = session_id

    async def rows(self) -> list[Row]:
        """Return all rows, oldest first."""
        sql = await self._runner.statements()
        return await self._runner.read(sql.session.rows, self._session_id)

    async def first(self, count: int) -> list[Row]:
        """Return the first rows, oldest first."""
        return await self._after(FIRST_ID, count)

    async def last(self, count: int) -> list[Row]:
        """Return the latest rows, oldest first."""
        sql = await self._runner.statements()
        return await self._runner.read(sql.session.last, self._session_id, count)

    async def batches(self, size: int) -> AsyncIterator[list[Row]]:
        """Yield all rows in batches, oldest first."""
        last = FIRST_ID
        while True:
            rows = await self._after(last, size)
            yield rows
            if len(rows) < size:
                return
            last = rows[-1][0]

    async def _after(self, row_id: int, count: int) -> list[Row]:
        sql = await self._runner.statements()
        return await self._runner.read(sql.session.after, self._session_id, row_id, count)

    async def append(self, values: Sequence[Stored]) -> None:
        """Add a batch at the end, all or nothing."""
        session = (await self._runner.statements()).session
        parts = session.batch_parts(values)
        if len(parts) == 1:
            await self._runner.write(session.append, self._session_id, parts[0])
        else:
            await self._runner.transact(session.append_parts, self._session_id, parts)

    async def append_to_empty(self, values: Sequence[Stored]) -> bool:
        """Add a batch to a session that has no rows; False, and nothing is added, if it has."""
        session = (await self._runner.statements()).session
        try:
            await self._runner.transact(_append_to_empty, session, self._session_id, values)
        except _HasRowsError:
            return False
        return True

    async def replace(self, values: Sequence[Stored]) -> None:
        """Put a batch in the place of all rows."""
        session = (await self._runner.statements()).session
        for _ in range(OPTIMISTIC_TRIES):
            if await self._runner.write(session.replace, self._session_id, values):
                return
        await self._runner.transact(session.replace_locked, self._session_id, values)

    async def clear(self) -> None:
        """Remove all rows and the session."""
        session = (await self._runner.statements()).session
        if session.clears_at_once:
            await self._runner.write(session.clear, self._session_id)
        else:
            await self._runner.transact(session.clear, self._session_id)

    async def delete(self) -> bool:
        """Remove all rows and the session; False if there was nothing to remove."""
        sql = await self._runner.statements()
        return await self._runner.write(sql.store.delete_session, self._session_id)

    async def pop(self, picker: Picker) -> Popped | None:
        """Delete the row that the picker takes; None if it takes none.

        Other pops of this process wait; writers that come between make it begin again, and after a
        few tries are locked out.
        """
        session, decode = (await self._runner.statements()).session, picker.decode_one
        if session.pops_at_once and decode is not None:
            with suppress(_TryAgainError):
                return await self._pop_at_once(decode, picker)
        async with self._runner.session_gate(self._session_id):
            deadline, tries = Deadline(), 0
            while True:
                with suppress(_TryAgainError):
                    return await self._pop_unchanged(picker)
                tries += 1
                if decode is not None and tries >= OPTIMISTIC_TRIES:
                    with suppress(_TryAgainError):
                        return await self._pop_at_once(decode, picker)
                deadline.check()

    async def _pop_at_once(self, decode: Callable[[Row], Item], picker: Picker) -> Popped | None:
        """Pop in one transaction; _TryAgainError if the newest row is one to be passed over."""
        session = (await self._runner.statements()).session
        try:
            return await self._runner.transact(_pop_newest, session, self._session_id, decode)
        except DecodeError as error:
            if not picker.leaves_out(error):
                raise
        raise _TryAgainError

    async def _pop_unchanged(self, picker: Picker) -> Popped | None:
        """Read, pick and delete; _TryAgainError if the session has changed meanwhile."""
        session = (await self._runner.statements()).session
        wanted = 1
        while True:
            rows, version = await self._runner.read(
                session.last_with_version, self._session_id, wanted
            )
            picked = await picker.pick(rows)
            if picked is not None:
                break
            if len(rows) < wanted:
                return None
            wanted *= 2
        (row_id, _), item = picked
        try:
            deleted = await self._runner.write(
                session.delete_at_version, self._session_id, row_id, version
            )
        except BaseException:
            del picked, item  # the traceback keeps this frame
            raise
        if not deleted:
            del picked, item
            raise _TryAgainError
        return Popped(item)

    async def splice(
        self, expected: Sequence[Row], doomed: set[int], values: Sequence[Stored]
    ) -> bool:
        """Remove rows and add a batch at the end, while the latest rows are the expected."""
        session = (await self._runner.statements()).session
        return await self._runner.transact(
            session.splice, self._session_id, expected, sorted(doomed), values
        )


class _TryAgainError(Exception):
    """A pop has changed nothing, and is to be tried again, or in another way."""


class _HasRowsError(Exception):
    """The session has rows already; the caller rolls back."""


def _append_to_empty(
    conn: Connection, session: SessionStatements, session_id: str, values: Sequence[Stored]
) -> None:
    if not session.append_to_empty(conn, session_id, values):
        raise _HasRowsError


def _pop_newest(
    conn: Connection, session: SessionStatements, session_id: str, decode: Callable[[Row], Item]
) -> Popped | None:
    """Delete the newest row and decode it; an error undoes the deletion."""
    row = session.pop_newest(conn, session_id)
    return None if row is None else Popped(decode(row))
