"""The head of one session: read together with rows, held against the witness, and swapped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeAlias

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from strongroom.errors import StrongroomError, WitnessError
from strongroom.format.ledger import Head, LinkedRow
from strongroom.history.head_cache import cache_of
from strongroom.ledger.session_ledger import SessionLedger
from strongroom.protocols import Witness
from strongroom.sql.dialects.base.ledger import LedgerStatements
from strongroom.sql.dialects.base.step import HeadAndRows, RowsChangedError, RowVanishedError
from strongroom.sql.gate import settle
from strongroom.sql.retry import Deadline
from strongroom.sql.runner import Runner

Seen: TypeAlias = tuple[int, bytes] | None
"""Version and tag of the newest head that the witness knows."""

_LOOK_BACK = 1000
"""How many rows that others added meanwhile are searched for our own after a lost connection."""


@dataclass(frozen=True, slots=True)
class HeadChange:
    """An operation of the ledger's statements that puts one head in the place of another.

    ``adds``: the last row of ``new`` is one of its own, and shows whether it has happened.
    ``single``: it is a single statement where the database has one for it.
    """

    old: Head | None
    new: Head
    operation: Callable[..., bool]
    arguments: tuple[Any, ...]
    adds: bool = False
    single: bool = True


P = ParamSpec("P")


class HeadStore:
    """Reads and swaps the head of one session.

    The newest head of a session that was read or stored on this engine is remembered.
    """

    def __init__(
        self, runner: Runner, session_id: str, ledger: SessionLedger, witness: Witness | None
    ) -> None:
        self._runner = runner
        self._session_id = session_id
        self._ledger = ledger
        self._witness = witness
        self._cache = cache_of(runner.engine.sync_engine)
        self._cache_key = (runner.names, ledger.witness_key + ledger.key_id)

    async def statements(self) -> LedgerStatements:
        """Return the statements of the store's ledger."""
        ledger = (await self._runner.statements()).ledger
        assert ledger is not None  # noqa: S101 - the store has a ledger
        return ledger

    async def read(
        self,
        operation: Callable[Concatenate[Connection, str, P], HeadAndRows],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> tuple[Head | None, list[LinkedRow]]:
        """Return the head, verified, and the rows that were read with it, which are not."""
        seen = await self.seen()
        raw, rows = await self._runner.read(operation, self._session_id, *args, **kwargs)
        return await self._accept(raw, seen), rows

    async def last(self, count: int) -> tuple[Head | None, list[LinkedRow]]:
        """Return the head and the latest rows."""
        sql = await self.statements()
        return await self.read(sql.last, count)

    async def current(self, *, tail: bool = False) -> Head | None:
        """Return the head to build on: the one remembered, or else the one in the database.

        ``tail``: the last row is verified where it is read, for a change that comes behind it.
        """
        known = self._cache.get(self._cache_key)
        if known is not None:
            seen = await self.seen()
            if seen is None or known.version > seen[0] or (known.version, known.tag) == seen:
                return known
        head, rows = await self.last(1)
        # A session without a head is new, or it has lost it: then its rows refuse.
        self._ledger.check_headed(head, rows)
        if tail:
            self._ledger.verify_last(head, rows, 1)
        return head

    async def swap(self, change: HeadChange) -> bool:
        """Run a change that puts its new head in the place of the old one; False if others won.

        When its connection is lost it is run again, which cannot happen twice: both need ``old``.
        """
        deadline = Deadline()
        lost: DBAPIError | None = None
        changed: bool | None = None
        run = self._runner.write if change.single else self._runner.transact
        while changed is None:
            try:
                changed = await run(change.operation, *change.arguments)
            except RowsChangedError:
                changed = False
            except RowVanishedError:
                self._ledger.refuse("the last row vanished while it was being popped")
            except DBAPIError as error:
                self._cache.forget(self._cache_key)
                if not error.connection_invalidated:
                    raise
                lost = error
            if lost is not None and not changed:
                deadline.check()
                changed = await self._outcome(change, lost)
        if not changed:
            self._cache.forget(self._cache_key)
            return False
        self._cache.remember(self._cache_key, change.new)
        if self._witness is not None:
            await settle(self.advance(change.new, committed=True))
        return True

    async def _outcome(self, change: HeadChange, lost: DBAPIError) -> bool | None:
        """Find out whether a change has happened; None if not yet. Raises ``lost`` if unclear."""
        old, new = change.old, change.new
        added = max(0, new.count - (old.count if old else 0))
        head, rows = await self.last(added + _LOOK_BACK)
        if head == new:
            return True
        if head == old:
            return None
        if head is not None and head.version == new.version:
            return False
        # Others have gone on since. A row of our own shows that it has happened; without one it
        # may have happened and been undone.
        links, _ = self._ledger.verify_last(head, rows, added + _LOOK_BACK)
        if change.adds and new.last in links.uids:
            return True
        raise lost

    # The witness --------------------------------------------------------------------------------

    async def seen(self) -> Seen:
        """Ask the witness; it has to be asked before the store is read."""
        if self._witness is None:
            return None
        try:
            return await self._witness.seen(self._ledger.witness_key)
        except StrongroomError as error:
            error.at(self._session_id)
            raise
        except Exception as error:
            problem = WitnessError(f"The witness could not be asked: {type(error).__name__}.")
            raise problem.at(self._session_id) from error

    async def advance(self, head: Head, *, committed: bool) -> None:
        """Tell the witness of a newer head; raises WitnessError."""
        if self._witness is None:
            return
        try:
            await self._witness.advance(self._ledger.witness_key, head.version, head.tag)
        except Exception as error:
            done = "The change is stored, but the" if committed else "The"
            problem = WitnessError(
                f"{done} witness could not be told: {type(error).__name__}: {error}",
                committed=committed,
            )
            raise problem.at(self._session_id) from error

    async def _accept(self, raw: bytes | None, seen: Seen) -> Head | None:
        """Verify a stored head, also against what the witness saw before it was read."""
        head = self._ledger.open_head(raw)
        if head is None:
            if seen is not None:
                self._ledger.refuse("the head is missing, and the witness has seen one")
            return None
        if seen is not None and head.version < seen[0]:
            self._ledger.refuse(
                f"the head has version {head.version}, and the witness has seen {seen[0]}"
            )
        if seen is not None and head.version == seen[0] and head.tag != seen[1]:
            self._ledger.refuse("the witness has seen another head of this version")
        if seen is None or head.version > seen[0]:
            # A writer died between its commit and the witness, or is about to tell it.
            await self.advance(head, committed=False)
        self._cache.remember(self._cache_key, head)
        return head
