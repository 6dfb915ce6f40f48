"""The errors of strongroom.

::

    StrongroomError
    ├─ EncodeError                an item that cannot be stored
    ├─ DecodeError                a row that cannot be read
    │  ├─ EnvelopeError           malformed, truncated, or of an unknown version
    │  ├─ CodecNotAcceptedError   written by a codec that the reader does not accept
    │  │  └─ PlaintextRefusedError
    │  ├─ UnknownKeyError         sealed under a key that the keyring does not hold
    │  ├─ AuthenticationError     wrong key, altered row, or another session's row
    │  └─ PayloadError            decompression, size limit or parsing
    ├─ HistoryTamperedError       a history that its ledger does not vouch for
    ├─ WitnessError               the witness refused, or could not be asked
    ├─ ConflictError              another writer kept winning
    └─ ConfigurationError         a bad spec, missing keys, a wrong column type
       └─ MissingDependencyError  also an ImportError

No message carries plaintext or key bytes, and neither does what hangs on an exception: where a
foreign exception holds the document (``json.JSONDecodeError`` does), ours has no cause and no
context.
"""

from __future__ import annotations

from typing import Self


class StrongroomError(Exception):
    """Base of every error that strongroom raises on its own.

    ``session_id`` and ``row_id`` say where, as far as it is known; else they are None.
    """

    session_id: str | None = None
    row_id: int | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def at(self, session_id: str, row_id: int | None = None) -> Self:
        """Note where it happened, and return the error itself."""
        self.session_id = session_id
        self.row_id = row_id
        return self

    def __str__(self) -> str:
        if self.session_id is None:
            return self.message
        row = "" if self.row_id is None else f", row {self.row_id}"
        return f"{self.message} [session {self.session_id!r}{row}]"


class EncodeError(StrongroomError):
    """An item cannot be stored; nothing was written.

    ``path`` leads to the offending value inside the item (``$.content[0].id``), where known. A key
    that is none of openai-agents' items is shown as ``*``.
    """

    def __init__(self, message: str, *, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path


class DecodeError(StrongroomError):
    """A row cannot be read."""


class EnvelopeError(DecodeError):
    """A row is malformed: truncated, not canonical, or of an unknown version."""


class CodecNotAcceptedError(DecodeError):
    """A row was written by a codec that this one does not accept."""


class PlaintextRefusedError(CodecNotAcceptedError):
    """A row is not encrypted, and the codec reads encrypted rows only."""


class UnknownKeyError(DecodeError):
    """A row is sealed under a key that the keyring does not hold; ``key_id`` names it."""

    def __init__(self, message: str, *, key_id: str) -> None:
        super().__init__(message)
        self.key_id = key_id


class AuthenticationError(DecodeError):
    """A sealed row does not open: wrong key, altered row or another session's row."""


class PayloadError(DecodeError):
    """What a row holds cannot be decompressed or parsed, or is larger than allowed."""


class NotJSONError(PayloadError):
    """A bare row is not JSON; sessions without a cipher leave such rows out by default."""


class RowLeftOutError(DecodeError):
    """A reader recognised a row and says that it is to be left out, as when its ttl has passed."""


class HistoryTamperedError(StrongroomError):
    """A history is not what its ledger recorded."""


class WitnessError(StrongroomError):
    """The witness contradicts the store, or could not be asked or told.

    ``committed`` is True if the change that it was to witness has been stored.
    """

    def __init__(self, message: str, *, committed: bool = False) -> None:
        super().__init__(message)
        self.committed = committed


class ConflictError(StrongroomError):
    """Another writer kept winning until the bounded retries were used up; nothing was changed."""


class ConfigurationError(StrongroomError):
    """The arguments, the tables or the environment do not fit together."""


class MissingDependencyError(ConfigurationError, ImportError):
    """An optional dependency is not installed; the message holds the pip install line."""
