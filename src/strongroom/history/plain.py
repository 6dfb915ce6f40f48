"""The rows of one session, as they lie in the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from strongroom.protocols import Stored
from strongroom.sql.dialects.base.session import Database, Row
from strongroom.sql.runner import Backend

T = TypeVar("T")

OPTIMISTIC_TRIES = 3
"""How often a change that fails if others come between is tried before it locks them out."""

FIRST_ROW = -(2**63)
"""Before every row id."""


class History(Protocol):
    """What a session does with its rows; values are as the codec or the hooks made them."""

    async def rows(self) -> list[Row]:
        """Return all rows, oldest first."""
        ...

    async def last(self, count: int) -> list[Row]:
        """Return the latest rows, oldest first."""
        ...

    def batches(self, size: int) -> AsyncIterator[list[Row]]:
        """Yield all rows in batches, oldest first."""
        ...

    async def append(self, values: Sequence[Stored]) -> None:
        """Add a batch at the end, all or nothing."""
        ...

    async def replace(self, values: Sequence[Stored]) -> None:
        """Put a batch in the place of all rows."""
        ...

    async def clear(self) -> None:
        """Remove all rows and the session."""
        ...

    async def tail(self, count: int) -> tuple[list[Row], Any]:
        """Return the latest rows, and what ``claim`` needs to know about this moment."""
        ...

    async def claim(self, row_id: int, moment: Any) -> bool:
        """Delete a row of ``tail``; False if the session has changed since."""
        ...

    async def splice(
        self, expected: Sequence[Row], doomed: set[int], values: Sequence[Stored]
    ) -> bool:
        """Remove rows and add a batch at the end; False if the latest are not the expected."""
        ...


class PlainHistory:
    """The rows of a session without a ledger."""

    def __init__(self, backend: Backend, session_id: str) -> None:
        self._backend = backend
        self._session_id = session_id

    async def rows(self) -> list[Row]:
        """Return all rows, oldest first."""
        session_id = self._session_id
        return await self._backend.read(lambda db, conn: db.rows(conn, session_id))

    async def last(self, count: int) -> list[Row]:
        """Return the latest rows, oldest first."""
        session_id = self._session_id
        return await self._backend.read(lambda db, conn: db.last(conn, session_id, count))

    async def after(self, row_id: int, count: int) -> list[Row]:
        """Return the next rows behind a row id, oldest first."""
        session_id = self._session_id
        return await self._backend.read(lambda db, conn: db.after(conn, session_id, row_id, count))

    async def batches(self, size: int) -> AsyncIterator[list[Row]]:
        """Yield all rows in batches, oldest first."""
        last = FIRST_ROW
        while True:
            rows = await self.after(last, size)
            yield rows
            if len(rows) < size:
                return
            last = rows[-1][0]

    async def append(self, values: Sequence[Stored]) -> None:
        """Add a batch at the end, all or nothing."""
        session_id = self._session_id
        parts = (await self._backend.prepare()).parts(values)

        def append(db: Database, conn: Connection) -> None:
            for part in parts:
                db.append(conn, session_id, part)

        await self._backend.write(append, single=len(parts) == 1)

    async def replace(self, values: Sequence[Stored]) -> None:
        """Put a batch in the place of all rows."""
        session_id = self._session_id
        for _ in range(OPTIMISTIC_TRIES):
            if await self._backend.write(lambda db, conn: db.replace(conn, session_id, values)):
                return
        await self._backend.write(
            lambda db, conn: db.replace_locked(conn, session_id, values), single=False
        )

    async def clear(self) -> None:
        """Remove all rows and the session."""
        session_id, database = self._session_id, await self._backend.prepare()
        await self._backend.write(
            lambda db, conn: db.clear(conn, session_id), single=database.clears_at_once
        )

    async def tail(self, count: int) -> tuple[list[Row], Any]:
        """Return the latest rows, and the version of the session that goes with them."""
        session_id = self._session_id
        return await self._backend.read(lambda db, conn: db.tail(conn, session_id, count))

    async def claim(self, row_id: int, moment: Any) -> bool:
        """Delete a row while the session is at that version."""
        session_id = self._session_id
        return await self._backend.write(
            lambda db, conn: db.claim(conn, session_id, row_id, moment)
        )

    async def pop_at_once(self, decode: Callable[[Row], T]) -> T | None:
        """Delete the newest row and return what it decodes to; an error undoes the deletion.

        None if there is no row.
        """
        session_id = self._session_id

        def pop(db: Database, conn: Connection) -> T | None:
            row = db.pop_newest(conn, session_id)
            return None if row is None else decode(row)

        return await self._backend.write(pop, single=False)

    async def splice(
        self, expected: Sequence[Row], doomed: set[int], values: Sequence[Stored]
    ) -> bool:
        """Remove rows and add a batch at the end, while the latest rows are the expected."""
        session_id, tail = self._session_id, list(expected)

        def swap(db: Database, conn: Connection) -> bool:
            if not db.lock(conn, session_id) or db.last(conn, session_id, len(tail)) != tail:
                return False
            db.swap(conn, session_id, sorted(doomed), values)
            return True

        return await self._backend.write(swap, single=False)
