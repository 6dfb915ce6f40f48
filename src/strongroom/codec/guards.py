"""Guards around the stages of a codec: an exception of a third party becomes an error of ours.

Where a frame holds plaintext, an error is returned instead of raised: the caller raises it when
those frames are gone.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from strongroom.errors import (
    AuthenticationError,
    DecodeError,
    MissingDependencyError,
    NotJSONError,
    PayloadError,
    StrongroomError,
)
from strongroom.protocols import Box, Cipher, Item, Reader, Serializer, Stored

Outcome: TypeAlias = Item | DecodeError
"""The outcome of reading a row: the item, or why there is none. No item is an exception."""

Step: TypeAlias = Literal["cipher", "compressor", "serializer"]


def bind(cipher: Cipher, namespace: str, context: str) -> Box:
    """Tie a cipher to a session; raises StrongroomError."""
    try:
        return cipher.bind(namespace, context)
    except StrongroomError:
        raise
    except Exception as error:  # noqa: BLE001 - a third party's cipher may raise anything
        problem = f"The cipher {cipher.name!r} failed to bind: {type(error).__name__}."
    raise AuthenticationError(problem)


def failure(step: Step, error: Exception) -> StrongroomError:
    """Return the error that says which stage failed to read a row, and why."""
    if isinstance(error, StrongroomError):
        if isinstance(error, NotJSONError):
            # That error is for bare rows: anybody may write those, and sessions may skip them.
            return PayloadError("What the row holds is not the JSON that its header promises.")
        # An error of a cipher has seen no plaintext.
        return error if step == "cipher" else stripped(error)
    if step == "cipher":
        return AuthenticationError(
            f"The row does not open: its cipher failed with {type(error).__name__}."
        )
    return PayloadError(f"The row's {step} failed with {type(error).__name__}.")


def loads(serializer: Serializer, data: Stored) -> Outcome:
    """Parse a row that is bare JSON; an error is returned."""
    try:
        return serializer.loads(data)  # type: ignore[arg-type]  # ours take bare JSON as str too
    except StrongroomError as error:
        return stripped(error)
    except Exception as error:  # noqa: BLE001 - a subclass of our serializer may raise anything
        return failure("serializer", error)


def read(reader: Reader, stored: Stored, context: str) -> Outcome:
    """Read a row that the reader recognises; NOT_MINE if it does not. An error is returned."""
    try:
        return reader.decode(stored, context=context) if reader.matches(stored) else NOT_MINE
    except DecodeError as error:
        return stripped(error)
    except Exception as error:  # noqa: BLE001 - a third party's reader may raise anything
        return PayloadError(f"The row's reader {reader.name!r} failed with {type(error).__name__}.")


NOT_MINE = object()
"""The outcome of a reader that does not recognise the row."""


def stripped(error: StrongroomError) -> StrongroomError:
    """Strip an error of its cause, its context and its traceback: they may hold plaintext.

    An error that is no DecodeError becomes one, unless it says that a library is missing.
    """
    if not isinstance(error, DecodeError | MissingDependencyError):
        error = PayloadError(f"A stage failed on the row: {error.message}")
    return bare(error)


def bare(error: StrongroomError) -> StrongroomError:
    """Strip an error of all that may hold an item, and return it."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
