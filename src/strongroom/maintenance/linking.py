"""Linking all rows of a session as they stand, which is what ``adopt`` and ``reset`` do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

from sqlalchemy import Connection

from strongroom.core.core import Core
from strongroom.errors import (
    ConfigurationError,
    EnvelopeError,
    HistoryTamperedError,
    UnknownKeyError,
)
from strongroom.format import envelope
from strongroom.format.ledger import NO_UID, Head, LinkedRow, link_size
from strongroom.history.head import HeadStore, Seen
from strongroom.ledger.ledger import Ledger
from strongroom.ledger.session_ledger import SessionLedger
from strongroom.protocols import Stored
from strongroom.sql.dialects.base.ledger import LedgerStatements
from strongroom.sql.dialects.base.step import HeadAndRows, RowsChangedError
from strongroom.sql.retry import Deadline
from strongroom.sql.rows import FIRST_ID, Change

P = ParamSpec("P")
T = TypeVar("T")

_BATCH_ROWS = 200


def ledger_of(core: Core) -> Ledger:
    """Return the store's ledger; raises ConfigurationError if it has none."""
    if core.ledger is None:
        raise ConfigurationError("The store has no ledger: pass ledger=Ledger(…) to it.")
    return core.ledger


class Linked(NamedTuple):
    """The new head, and how many rows were of which kind before."""

    head: Head
    linked: int
    altered: int
    unlinked: int


class SessionLinker:
    """Links the rows of one session as they stand, in one transaction that keeps writers out."""

    def __init__(self, core: Core, ledger: Ledger, session_id: str) -> None:
        self.ledger: SessionLedger = ledger.bind(session_id, core.namespace)
        self._core = core
        self._session_id = session_id
        self.heads = HeadStore(core.runner, session_id, self.ledger, ledger.witness)

    async def newest(self) -> HeadAndRows:
        """Return the head and the newest row as they are stored, unverified."""
        sql = await self.heads.statements()
        return await self._core.runner.read(sql.last, self._session_id, 1)

    async def link_first(self) -> Linked | None:
        """Link a session that has no head; returns None if it has one meanwhile.

        Raises HistoryTamperedError for a row that is linked already.
        """
        found = await self._write(self._link_first)
        if found is not None:
            await self.heads.advance(found.head, committed=True)
        return found

    async def link_again(self, seen: Seen) -> Linked:
        """Link all rows anew, whatever they are, above what the witness has ``seen``."""
        found = await self._write(self._link_again, seen)
        await self.heads.advance(found.head, committed=True)
        return found

    def _link_first(self, conn: Connection, sql: LedgerStatements) -> Linked | None:
        if sql.reserve(conn, self._session_id) is not None:
            return None
        return self._link(conn, sql, 0, fresh=True)

    def _link_again(self, conn: Connection, sql: LedgerStatements, seen: Seen) -> Linked:
        raw = sql.reserve(conn, self._session_id)
        try:
            head = self.ledger.open_head(raw)
        except (HistoryTamperedError, UnknownKeyError):
            head = None
        version = max(head.version if head else 0, seen[0] if seen else 0)
        return self._link(conn, sql, version, fresh=False)

    def _link(
        self, conn: Connection, sql: LedgerStatements, version: int, *, fresh: bool
    ) -> Linked:
        """Link all rows, under the lock of the session, and store the head behind ``version``."""
        count, last = 0, NO_UID
        kinds = {"linked": 0, "altered": 0, "unlinked": 0}
        for rows in self._batches(conn, sql):
            values: list[Stored] = []
            times = [row[2] for row in rows]
            utc = sql.utc_times(conn, self._session_id, rows)
            for place, row in enumerate(rows):
                self._check_type(row)
                if fresh and envelope.is_linked(row[1]):
                    self.ledger.refuse("the row is linked already, and there is no head", row[0])
                kind, value = self._opened(row)
                kinds[kind] += 1
                values.append(value)
                if kind == "unlinked" and utc[place] != times[place]:
                    times[place] = utc[place]
                    sql.redate(conn, self._session_id, row[0], utc[place])
            linked, last = self.ledger.link(count, last, values, times)
            count += len(rows)
            sql.rewrite(
                conn,
                [
                    Change(self._session_id, row[0], row[1], value)
                    for row, value in zip(rows, linked, strict=True)
                ],
            )
        head = self.ledger.make_head(version + 1, count, last)
        sql.put(conn, self._session_id, head.raw)
        return Linked(head, **kinds)

    def _batches(self, conn: Connection, sql: LedgerStatements) -> Iterator[list[LinkedRow]]:
        place = FIRST_ID
        while True:
            _, rows = sql.after(conn, self._session_id, place, _BATCH_ROWS)
            if not rows:
                return
            yield rows
            place = rows[-1][0]

    def _check_type(self, row: LinkedRow) -> None:
        """Raise EnvelopeError for a value that no link can stand before: SQLite holds such."""
        if isinstance(row[1], str) != self._core.is_text:
            raise EnvelopeError(
                "The row's value is not of the type of its column, and cannot be linked. Put it "
                "right, or delete the row, by SQL."
            ).at(self._session_id, row[0])

    def _opened(self, row: LinkedRow) -> tuple[str, Stored]:
        """Return what kind of row this is, and the value behind its link."""
        stored = row[1]
        if not envelope.is_linked(stored):
            return "unlinked", stored
        try:
            return "linked", self.ledger.open_value(stored, row[0])[1]
        except (HistoryTamperedError, UnknownKeyError):
            return "altered", stored[link_size(stored) :]

    async def _write(
        self,
        operation: Callable[Concatenate[Connection, LedgerStatements, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a transaction, again if a row that it was to rewrite was locked or changed."""
        sql, deadline = await self.heads.statements(), Deadline()
        while True:
            try:
                return await self._core.runner.transact(operation, sql, *args, **kwargs)
            except RowsChangedError:
                deadline.check()
                await asyncio.sleep(0.05)
