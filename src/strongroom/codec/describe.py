"""Describe a row without a key."""

from __future__ import annotations

from strongroom.codec.readers import is_encrypted_session, is_fernet_token
from strongroom.codec.readers._forms import parse_json
from strongroom.errors import PayloadError
from strongroom.format import envelope
from strongroom.format.ledger import without_link
from strongroom.protocols import RowInfo, Stored


def describe(stored: Stored) -> RowInfo:
    """Return how a row was written, without any key; raises EnvelopeError for a malformed envelope.

    For a row that a ledger links, describe the value behind the link.
    """
    stored = without_link(stored)
    row = envelope.from_text(stored) if isinstance(stored, str) else stored
    if row is not None and envelope.is_envelope(row):
        parts = envelope.parse(row)
        return RowInfo(
            format="envelope",
            version=envelope.VERSION,
            serializer=parts.serializer,
            compressor=parts.compressor,
            cipher=parts.cipher,
            key_id=parts.key_id,
        )
    if is_encrypted_session(stored):
        return RowInfo(format="encrypted-session", cipher="fernet")
    if is_fernet_token(stored):
        return RowInfo(format="fernet-token", cipher="fernet")
    if isinstance(parse_json(stored), PayloadError):
        return RowInfo(format="unknown")
    return RowInfo(format="json", serializer="json")
