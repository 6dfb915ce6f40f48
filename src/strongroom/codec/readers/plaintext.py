"""Rows that nothing sealed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from strongroom.codec.compressors.zlib import ZlibCompressor
from strongroom.codec.compressors.zstd import ZstdCompressor
from strongroom.codec.readers._forms import (
    is_encrypted_session,
    is_fernet_token,
    parse_content,
    parse_json,
)
from strongroom.codec.serializers.msgpack import MsgpackSerializer
from strongroom.errors import CodecNotAcceptedError, DecodeError, EnvelopeError, PayloadError
from strongroom.format import envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom.protocols import Compressor, Item, Stored

_MAX_SIZE = 64 * 1024 * 1024
_PARSERS: dict[str, Callable[[bytes], Item]] = {
    "json": parse_content,
    "msgpack": MsgpackSerializer().loads,
}
_COMPRESSORS: dict[str, Callable[[], Compressor]] = {"zlib": ZlibCompressor, "zstd": ZstdCompressor}


@dataclass(frozen=True)
class PlaintextReader:
    """Rows that nothing sealed: bare JSON, and strongroom's own rows of suite 00.

    It leaves alone what is EncryptedSession's or a Fernet token. A codec that accepts this reader
    reads such rows with its own stages; ``decode`` knows the built-in ones, and decompresses to 64
    MiB at most.
    """

    name: ClassVar[str] = "plaintext"

    def matches(self, stored: Stored, /) -> bool:
        """Recognise what is not sealed, as far as its form tells."""
        try:
            row = _row(stored)
            if row is not None:
                return envelope.parse(row).cipher is None
        except EnvelopeError:
            return False
        return not is_encrypted_session(stored) and not is_fernet_token(stored)

    def decode(self, stored: Stored, /, *, context: str) -> Item:
        """Return the row's item; raises PayloadError, EnvelopeError or CodecNotAcceptedError."""
        row = _row(stored)
        outcome = parse_json(stored) if row is None else _unpack(envelope.parse(row))
        if isinstance(outcome, DecodeError):
            del stored, row
            raise outcome
        return outcome


def _row(stored: Stored) -> bytes | None:
    """Return the bytes of an envelope, or None for anything else."""
    if isinstance(stored, str):
        return envelope.from_text(stored)
    return stored if stored.startswith(envelope.MAGIC) else None


def _unpack(parts: envelope.Envelope) -> Item | DecodeError:
    """Return the item of an envelope that nothing sealed, or why there is none."""
    if parts.cipher or parts.serializer not in _PARSERS:
        return CodecNotAcceptedError("The row is sealed, or its serializer is not built in.")
    if parts.compressor and parts.compressor not in _COMPRESSORS:
        return CodecNotAcceptedError("The row's compressor is not built in.")
    try:
        data = parts.body
        if parts.compressor:
            data = _COMPRESSORS[parts.compressor]().decompress(data, max_size=_MAX_SIZE)
        return _PARSERS[parts.serializer](data)
    except PayloadError as error:
        return error.with_traceback(None)
