"""Turning a ledger on for histories that are there already, and on again after a mishap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection

from strongroom.errors import (
    ConfigurationError,
    HistoryTamperedError,
    StrongroomError,
    UnknownKeyError,
)
from strongroom.format import envelope
from strongroom.format.ledger import NO_UID, Head, LinkedRow, link_size
from strongroom.history.head import Keeper, Seen
from strongroom.history.ledgered import LinkedHistory
from strongroom.history.plain import FIRST_ROW
from strongroom.ledger.ledger import Ledger
from strongroom.ledger.session_ledger import SessionLedger
from strongroom.maintenance._report import Failure, Failures
from strongroom.maintenance.progress import Meter, Progress
from strongroom.protocols import Stored
from strongroom.sql.dialects.base.ledger import Heads, History, MovedOnError
from strongroom.sql.dialects.base.session import Database
from strongroom.sql.dialects.store_registry import Change
from strongroom.store.store import SessionStore
from strongroom.store.walk import check_prefix, walk_sessions

T = TypeVar("T")

_BATCH_ROWS = 200


@dataclass(frozen=True, kw_only=True)
class AdoptReport:
    """How many sessions, with how many rows, were linked, and how many had a ledger already.

    ``failures`` lists the first 1,000 of the ``failed`` sessions, which are as they were.
    """

    adopted: int
    rows: int
    skipped: int
    failed: int
    failures: tuple[Failure, ...]

    @property
    def ok(self) -> bool:
        """Whether every session has a ledger now."""
        return not self.failed


@dataclass(frozen=True, kw_only=True)
class ResetReport:
    """What a session was found to be, before its rows were linked anew as they stood.

    ``problem`` is what reading it refused, None if the history was whole. ``linked`` rows had a
    link of their own value, ``altered`` ones another link, ``unlinked`` ones none. ``version`` is
    that of the new head.
    """

    problem: str | None
    rows: int
    linked: int
    altered: int
    unlinked: int
    version: int


async def adopt(
    store: SessionStore,
    *,
    prefix: str | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> AdoptReport:
    """Link the rows of the sessions that have no ledger yet, as they stand.

    This is trust on first use: what was changed before, nobody will notice. A session is linked in
    one transaction that keeps its writers out, or not at all, and one that has a head is left
    alone, so it may be killed and run again. Sessions that have linked rows and no head, or that
    the witness knows, are failures: ``reset`` is for those. Every writer has to have the ledger.
    """
    ledger = _ledger_of(store)
    check_prefix(prefix)
    failures = Failures()
    adopted = rows = skipped = 0
    meter = await Meter.of_rows(progress, "adopt", store, prefix)
    async for page in walk_sessions(store, prefix=prefix):
        for session in page:
            work = _Session(store, ledger, session.session_id)
            try:
                found = await work.adopt()
            except StrongroomError as error:
                failures.add(session.session_id, error.row_id, error)
                continue
            if found is None:
                skipped += 1
            else:
                adopted += found > 0
                rows += found
                meter.add(found)
    meter.finish()
    return AdoptReport(
        adopted=adopted,
        rows=rows,
        skipped=skipped,
        failed=failures.total,
        failures=failures.listed,
    )


async def reset(store: SessionStore, session_id: str) -> ResetReport:
    """Link all rows of a session as they stand, whatever they are, and say what it was.

    For a session that a writer without the ledger has touched, after somebody has looked at it:
    what it holds is trusted from now on. The new head's version is above the old head's and above
    what the witness has seen. Raises ValueError for a session that has never been.
    """
    store.check_session_id(session_id)
    return await _Session(store, _ledger_of(store), session_id).reset()


async def renew_heads(store: SessionStore, prefix: str | None) -> None:
    """Put every head under the ledger's primary key."""
    after: str | None = None
    while True:
        place = after
        names = await store.backend.read(
            lambda db, conn: store.backend.head_statements(db).sessions(conn, place, _BATCH_ROWS)  # noqa: B023 - awaited here
        )
        for name in names:
            history = store.history(name)
            if name.startswith(prefix or "") and isinstance(history, LinkedHistory):
                await history.renew()
        if len(names) < _BATCH_ROWS:
            return
        after = names[-1]


def _ledger_of(store: SessionStore) -> Ledger:
    if store.ledger is None:
        raise ConfigurationError("The store has no ledger: pass ledger=Ledger(…) to it.")
    return store.ledger


class _Found(NamedTuple):
    """What linking met: the new head, and how many rows were of which kind."""

    head: Head
    linked: int
    altered: int
    unlinked: int


class _Session:
    """One session whose rows are linked as they stand."""

    def __init__(self, store: SessionStore, ledger: Ledger, session_id: str) -> None:
        self._store = store
        self._session_id = session_id
        self._ledger: SessionLedger = ledger.bind(session_id, store.namespace)
        self._keeper = Keeper(store.backend, session_id, self._ledger, ledger.witness)

    async def adopt(self) -> int | None:
        """Link the rows; returns how many, None if the session has a head."""
        raw, rows = await self._peek()
        if raw is not None:
            return None
        if not rows:
            return 0
        if await self._keeper.seen() is not None:
            self._ledger.refuse("it has no head, and the witness has seen one")
        found = await self._write(self._adopt)
        if found is None:
            return None
        await self._keeper.advance(found.head, committed=True)
        return found.head.count

    async def _peek(self) -> History:
        return await self._store.backend.read(
            lambda db, conn: self._heads(db).last(conn, self._session_id, 1)
        )

    def _adopt(self, heads: Heads, conn: Connection) -> _Found | None:
        if heads.reserve(conn, self._session_id) is not None:
            return None
        return self._link(heads, conn, 0, fresh=True)

    async def reset(self) -> ResetReport:
        """Link the rows anew."""
        try:
            await self._store.history(self._session_id).rows()
        except (HistoryTamperedError, UnknownKeyError) as error:
            problem: str | None = error.message
        else:
            problem = None
        seen = await self._keeper.seen()
        if problem is None and seen is None and (await self._peek()) == (None, []):
            raise ValueError("There is no session of this id.")
        found = await self._write(lambda heads, conn: self._reset(heads, conn, seen))
        await self._keeper.advance(found.head, committed=True)
        return ResetReport(
            problem=problem,
            rows=found.head.count,
            linked=found.linked,
            altered=found.altered,
            unlinked=found.unlinked,
            version=found.head.version,
        )

    def _reset(self, heads: Heads, conn: Connection, seen: Seen) -> _Found:
        raw = heads.reserve(conn, self._session_id)
        try:
            head = self._ledger.open_head(raw)
        except (HistoryTamperedError, UnknownKeyError):
            head = None
        version = max(head.version if head else 0, seen[0] if seen else 0)
        return self._link(heads, conn, version, fresh=False)

    def _link(self, heads: Heads, conn: Connection, version: int, *, fresh: bool) -> _Found:
        """Link all rows, under the lock of the session, and store the head behind ``version``."""
        count, last = 0, NO_UID
        kinds = {"linked": 0, "altered": 0, "unlinked": 0}
        for rows in self._batches(heads, conn):
            values: list[Stored] = []
            for row in rows:
                if fresh and envelope.is_linked(row[1]):
                    self._ledger.refuse("the row is linked already, and there is no head", row[0])
                kind, value = self._opened(row)
                kinds[kind] += 1
                values.append(value)
            linked, last = self._ledger.link(count, last, values, [row[2] for row in rows])
            count += len(rows)
            heads.rewrite(
                conn,
                [
                    Change(self._session_id, row[0], row[1], value)
                    for row, value in zip(rows, linked, strict=True)
                ],
            )
        head = self._ledger.make_head(version + 1, count, last)
        heads.put(conn, self._session_id, head.raw)
        return _Found(head, **kinds)

    def _batches(self, heads: Heads, conn: Connection) -> Iterator[list[LinkedRow]]:
        place = FIRST_ROW
        while True:
            _, rows = heads.after(conn, self._session_id, place, _BATCH_ROWS)
            if not rows:
                return
            yield rows
            place = rows[-1][0]

    def _opened(self, row: LinkedRow) -> tuple[str, Stored]:
        """Return what kind of row this is, and the value behind its link."""
        stored = row[1]
        if not envelope.is_linked(stored):
            return "unlinked", stored
        try:
            return "linked", self._ledger.open_value(stored, row[0])[1]
        except (HistoryTamperedError, UnknownKeyError):
            return "altered", stored[link_size(stored) :]

    async def _write(self, operation: Callable[[Heads, Connection], T]) -> T:
        """Run a transaction, again if a row that it was to rewrite was locked or changed."""
        restarts = self._store.backend.restarts()
        while True:
            try:
                return await self._store.backend.write(
                    lambda db, conn: operation(self._heads(db), conn), single=False
                )
            except MovedOnError:
                restarts.check()
                await asyncio.sleep(0.05)

    def _heads(self, database: Database) -> Heads:
        return self._store.backend.head_statements(database)
