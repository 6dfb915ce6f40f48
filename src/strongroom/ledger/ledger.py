"""The ledger of an application: its keys and its witness."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.errors import ConfigurationError
from strongroom.keys.keyring import Keyring
from strongroom.ledger.session_ledger import SessionLedger
from strongroom.protocols import Witness


@dataclass(frozen=True)
class Ledger:
    """Turns the rows of each session into a history that cannot be rewritten unnoticed.

    ``keys`` authenticate: the primary writes, all verify. ``witness`` remembers the newest head
    outside the database; without one, a session can be set back to a state that it once had.
    """

    keys: Keyring
    witness: Witness | None = None

    def __post_init__(self) -> None:
        """Check the arguments."""
        if not isinstance(self.keys, Keyring):
            raise ConfigurationError("A Ledger takes a Keyring: Ledger(Keyring(…)).")
        if self.witness is not None and not isinstance(self.witness, Witness):
            raise ConfigurationError("A ledger's witness has the methods seen and advance.")

    def bind(self, session_id: str, namespace: str = "") -> SessionLedger:
        """Return the ledger of one session."""
        return SessionLedger(self.keys, session_id, namespace)
