"""Calls of a codec's stages; what a third party's raises becomes an error of ours.

Reading returns a DecodeError instead of raising it where a frame holds plaintext: the caller raises
it when those frames are gone.
"""

from __future__ import annotations

from typing import TypeAlias

from strongroom.errors import (
    AuthenticationError,
    DecodeError,
    MissingDependencyError,
    PayloadError,
    StrongroomError,
)
from strongroom.protocols import Box, Cipher, Compressor, Item, Reader, Serializer, Stored

Outcome: TypeAlias = Item | DecodeError
"""What reading a row came to: the item, or why there is none. No item is an exception."""


def bind(cipher: Cipher, namespace: str, context: str) -> Box:
    """Tie a cipher to a session; raises StrongroomError."""
    try:
        return cipher.bind(namespace, context)
    except StrongroomError:
        raise
    except Exception as error:  # noqa: BLE001 - a third party's cipher may raise anything
        problem = f"The cipher {cipher.name!r} failed to bind: {type(error).__name__}."
    raise AuthenticationError(problem)


def open_body(box: Box, body: bytes, header: bytes) -> bytes:
    """Decrypt; raises StrongroomError."""
    try:
        return box.open(body, header)
    except StrongroomError:
        raise
    except Exception as error:  # noqa: BLE001 - a third party's cipher may raise anything
        problem = f"The row does not open: its cipher failed with {type(error).__name__}."
    raise AuthenticationError(problem)


def decompress(compressor: Compressor, data: bytes, max_size: int) -> bytes | StrongroomError:
    """Decompress, or return why not."""
    try:
        return compressor.decompress(data, max_size=max_size)
    except StrongroomError as error:
        return bare(error)
    except Exception as error:  # noqa: BLE001 - a third party's stage may raise anything
        return PayloadError(f"The row's compressor failed with {type(error).__name__}.")


def loads(serializer: Serializer, data: Stored) -> Outcome:
    """Parse, or return why not."""
    try:
        return serializer.loads(data)  # type: ignore[arg-type]  # ours take bare JSON as str too
    except StrongroomError as error:
        return bare(error)
    except Exception as error:  # noqa: BLE001 - a third party's stage may raise anything
        return PayloadError(f"The row's serializer failed with {type(error).__name__}.")


def read(reader: Reader, stored: Stored, context: str) -> Outcome:
    """Read a row that the reader recognises, or return why not; NOT_MINE if it does not."""
    try:
        return reader.decode(stored, context=context) if reader.matches(stored) else NOT_MINE
    except DecodeError as error:
        return bare(error)
    except Exception as error:  # noqa: BLE001 - a third party's reader may raise anything
        return PayloadError(f"The row's reader {reader.name!r} failed with {type(error).__name__}.")


NOT_MINE = object()
"""What reading comes to by a reader that does not recognise the row."""


def bare(error: StrongroomError) -> StrongroomError:
    """Strip an error of what hangs on it and of the frames it came through: they hold plaintext.

    What is no DecodeError becomes one, but for a missing library.
    """
    if not isinstance(error, DecodeError | MissingDependencyError):
        error = PayloadError(f"A stage failed on the row: {error.message}")
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
