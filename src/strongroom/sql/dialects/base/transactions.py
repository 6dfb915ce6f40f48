"""How connections and transactions work; the folders of the databases say what differs."""

from __future__ import annotations

from abc import ABC, abstractmethod

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from strongroom.sql.gate import EngineGates, Gate


class Transactions(ABC):
    """How operations run on the connections of one database."""

    def begin(self, conn: Connection, *, writes: bool, single: bool) -> Connection:
        """Prepare a fresh connection for an operation; ``single``: it is a single statement."""
        return conn

    def acquire_write_lock(self, conn: Connection) -> None:  # noqa: B027 - servers queue writers
        """Get the write lock for a writer that others have kept out."""

    def is_stale(self, conn: Connection) -> bool:
        """Tell, without asking the server, whether the driver lost this connection."""
        return False

    @abstractmethod
    def is_transient(self, error: DBAPIError) -> bool:
        """Tell an error which proves that nothing was applied, and that may pass by itself."""

    def gates(self, engine: Engine) -> EngineGates:
        """Return the gates where operations on an engine wait for one another.

        A connection that all share carries one operation at a time, and each is run to its end.
        """
        if isinstance(engine.pool, StaticPool):
            gate = Gate()
            return EngineGates(writers=gate, readers=gate, settles=True)
        return EngineGates(writers=None, readers=None, settles=False)
