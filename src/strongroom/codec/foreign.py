"""Rows that are no envelopes: bare JSON, and the rows that an accepted reader recognises."""

from __future__ import annotations

from strongroom.codec import guards
from strongroom.codec.allowance import Allowance
from strongroom.codec.chain import Chain
from strongroom.codec.guards import NOT_MINE, Outcome
from strongroom.codec.readers import is_fernet_token
from strongroom.errors import CodecNotAcceptedError, EnvelopeError
from strongroom.format import envelope
from strongroom.protocols import Stored


def read(chain: Chain, stored: Stored, context: str, allowance: Allowance | None) -> Outcome:
    """Return the item of a row that is no envelope, or why its content cannot be read.

    Raises DecodeError for a row whose form alone says that it is refused. If the row is more than
    ``allowance`` has left, the outcome means nothing.
    """
    if envelope.is_linked(stored):
        raise CodecNotAcceptedError(
            "The row is linked by a ledger, and this store has none: pass ledger=Ledger(…)."
        )
    if isinstance(stored, bytes) and envelope.has_text_magic(stored):
        raise EnvelopeError("The row is in its text form, in a binary column.")
    size = _size(stored, chain.max_size)
    if size > chain.max_values:
        problem = chain.payload_problem(size, stored, chain.count_bare)
        if problem is not None:
            raise problem
    if allowance is not None and not allowance.take(stored, len(stored), chain.count_bare):
        return allowance.error()
    for reader in chain.readers:
        outcome = guards.read(reader, stored, context)
        if outcome is not NOT_MINE:
            return outcome
    chain.check_plaintext(stored)
    if chain.cipher is None and is_fernet_token(stored):
        raise CodecNotAcceptedError(
            "The row is a Fernet token, and this codec has no cipher. Was a setting lost? "
            "What an application sealed itself, accept=(FernetTokenReader(keys),) reads."
        )
    return guards.loads(chain.bare, stored)


def _size(stored: Stored, bound: int) -> int:
    """Return the bytes of a value, counted only where the characters do not tell."""
    if isinstance(stored, bytes) or stored.isascii() or len(stored) > bound:
        return len(stored)
    return len(stored.encode("utf-8", "surrogatepass"))
