"""The seams: what a stage of a codec, a reader of foreign rows and a witness have to do.

Stages are synchronous and pure: they take and return values, and neither wait nor touch a network.
Implementations need not inherit from these classes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

Item: TypeAlias = Any
"""A conversation item: what ``json`` can represent; msgpack alone adds bytes and datetimes."""

Stored: TypeAlias = str | bytes
"""A row's value as its column holds it: str in a text column, bytes in a binary one."""


@dataclass(frozen=True, kw_only=True)
class RowInfo:
    """How a row was written, as far as can be told without a key.

    ``format`` is ``"envelope"``, ``"json"`` (bare JSON), ``"encrypted-session"`` (openai-agents'
    EncryptedSession), ``"fernet-token"`` or ``"unknown"``. The stages are names, None where the row
    has no such stage or does not tell. ``key_id`` is that of the key which sealed it.
    """

    format: str
    version: int | None = None
    serializer: str | None = None
    compressor: str | None = None
    cipher: str | None = None
    key_id: str | None = None

    @property
    def spec(self) -> str:
        """The stages as a codec spec, such as ``msgpack+zstd+aesgcm``; else the format."""
        stages = [name for name in (self.serializer, self.compressor, self.cipher) if name]
        return "+".join(stages) if self.serializer else self.format


@runtime_checkable
class Serializer(Protocol):
    """Turns items into bytes and back."""

    @property
    def name(self) -> str:
        """What specs and rows call it: 1 to 64 of ``[a-z0-9_-]``."""
        ...

    def dumps(self, item: Item, /) -> bytes:
        """Serialize; raises EncodeError for what cannot be stored."""
        ...

    def loads(self, data: bytes, /) -> Item:
        """Parse what ``dumps`` wrote; raises PayloadError for anything else."""
        ...


@runtime_checkable
class Compressor(Protocol):
    """Makes bytes fewer, and restores them."""

    @property
    def name(self) -> str:
        """What specs and rows call it: 1 to 64 of ``[a-z0-9_-]``."""
        ...

    def compress(self, data: bytes, /) -> bytes:
        """Compress into one complete frame."""
        ...

    def decompress(self, data: bytes, /, *, max_size: int) -> bytes:
        """Restore; raises PayloadError for anything but one whole frame of at most max_size."""
        ...


class Box(Protocol):
    """A cipher bound to one session: it has the derived keys at hand."""

    def seal(self, payload: bytes, header: bytes, /) -> bytes:
        """Encrypt a payload under the key that the header names; returns the row's body."""
        ...

    def open(self, body: bytes, header: bytes, /) -> bytes:
        """Decrypt; raises UnknownKeyError or AuthenticationError."""
        ...


@runtime_checkable
class Cipher(Protocol):
    """Encrypts and authenticates.

    A cipher may have a ``key_id`` of twelve base64url characters, that of the key it writes with;
    without one its rows carry zeros.
    """

    @property
    def name(self) -> str:
        """What specs and rows call it: 1 to 64 of ``[a-z0-9_-]``."""
        ...

    def bind(self, namespace: str, context: str, /) -> Box:
        """Tie the cipher to a namespace and a context (the session id)."""
        ...


@runtime_checkable
class Reader(Protocol):
    """Reads rows that somebody else wrote."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def matches(self, stored: Stored, /) -> bool:
        """Recognise a row by its form alone; what matches is never offered to another reader."""
        ...

    def decode(self, stored: Stored, /, *, context: str) -> Item:
        """Return the row's item; raises DecodeError."""
        ...


@runtime_checkable
class Witness(Protocol):
    """Remembers, outside the database, the newest head of each ledger."""

    async def seen(self, key: bytes, /) -> tuple[int, bytes] | None:
        """Return the newest (version, tag) of a history, or None if it was never seen."""
        ...

    async def advance(self, key: bytes, version: int, tag: bytes, /) -> None:
        """Record a newer head, durably, before returning."""
        ...


@runtime_checkable
class ListingWitness(Witness, Protocol):
    """A witness that can also list what it has seen: ``verify`` finds deleted sessions by it."""

    async def keys(self) -> Collection[bytes]:
        """Return the keys of all histories that were ever recorded."""
        ...
