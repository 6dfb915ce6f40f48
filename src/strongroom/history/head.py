"""The head of one session: read together with rows, held against the witness, and swapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from strongroom.errors import StrongroomError, WitnessError
from strongroom.format.ledger import Head, LinkedRow
from strongroom.ledger.session_ledger import SessionLedger
from strongroom.protocols import Witness
from strongroom.sql.dialects.base.ledger import Heads, History, MovedOnError, RowVanishedError
from strongroom.sql.gate import settle
from strongroom.sql.runner import Backend

Seen: TypeAlias = tuple[int, bytes] | None
"""Version and tag of the newest head that the witness knows."""

_LOOK_BACK = 1000
"""How many rows that others added meanwhile are searched for our own after a lost connection."""


class Keeper:
    """Reads and swaps the head of one session.

    The backend remembers the newest head of a session that was read or stored here.
    """

    def __init__(
        self, backend: Backend, session_id: str, ledger: SessionLedger, witness: Witness | None
    ) -> None:
        self._backend = backend
        self._session_id = session_id
        self._ledger = ledger
        self._witness = witness
        self._memory_key = ledger.witness_key + ledger.key_id

    async def read(
        self, operation: Callable[[Heads, Connection], History]
    ) -> tuple[Head | None, list[LinkedRow]]:
        """Return the head, verified, and the rows that were read with it, which are not."""
        seen = await self.seen()
        raw, rows = await self._backend.read(
            lambda db, conn: operation(self._backend.head_statements(db), conn)
        )
        return await self._accept(raw, seen), rows

    async def last(self, count: int) -> tuple[Head | None, list[LinkedRow]]:
        """Return the head and the latest rows."""
        return await self.read(lambda heads, conn: heads.last(conn, self._session_id, count))

    async def current(self, *, tail: bool = False) -> Head | None:
        """Return the head to build on: the one remembered, or else the one in the database.

        ``tail``: the last row is verified where it is read, for a change that comes behind it.
        """
        known = self._backend.remembered_head(self._memory_key)
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

    async def swap(
        self,
        change: Callable[[Heads, Connection], bool],
        old: Head | None,
        new: Head,
        *,
        adds: bool = False,
        single: bool = True,
    ) -> bool:
        """Run a change that puts ``new`` in the place of ``old``; False if others came first.

        When its connection is lost it is run again, which cannot happen twice: both need ``old``.
        ``adds``: the last row of ``new`` is one of its own, and shows whether it has happened.
        """
        restarts = self._backend.restarts()
        lost: DBAPIError | None = None
        changed: bool | None = None
        while changed is None:
            try:
                changed = await self._backend.write(
                    lambda db, conn: change(self._backend.head_statements(db), conn), single=single
                )
            except MovedOnError:
                changed = False
            except RowVanishedError:
                self._ledger.refuse("the last row vanished while it was being popped")
            except DBAPIError as error:
                self._backend.forget_head(self._memory_key)
                if not error.connection_invalidated:
                    raise
                lost = error
            if lost is not None and not changed:
                restarts.check()
                changed = await self._outcome(old, new, lost, adds=adds)
        if not changed:
            self._backend.forget_head(self._memory_key)
            return False
        self._remember(new)
        if self._witness is not None:
            await settle(self.advance(new, committed=True))
        return True

    async def _outcome(
        self, old: Head | None, new: Head, lost: DBAPIError, *, adds: bool
    ) -> bool | None:
        """Find out whether a change has happened; None if not yet. Raises ``lost`` if unclear."""
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
        if adds and new.last in links.uids:
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
        self._remember(head)
        return head

    def _remember(self, head: Head) -> None:
        known = self._backend.remembered_head(self._memory_key)
        if known is None or known.version < head.version:
            self._backend.remember_head(self._memory_key, head)
