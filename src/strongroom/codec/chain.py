"""The stages of a codec, laid out for reading and writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from strongroom.codec import registry
from strongroom.codec.allowance import CountValues
from strongroom.errors import (
    CodecNotAcceptedError,
    PayloadError,
    PlaintextRefusedError,
)
from strongroom.protocols import Cipher, Compressor, Item, Reader, Serializer, Stored

BulkLoads: TypeAlias = Callable[[Sequence[Any]], list[Item] | None]
"""Parses many texts at once. It returns None, or raises, if they are better parsed one by one."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """The stages of a codec as reading and writing look them up.

    ``header`` is that of the rows it writes, empty for bare JSON; ``header_text`` is its text form.
    The mappings hold the stages that may read, by the names that rows use. ``plaintext`` recognises
    the unencrypted rows that may be read; None allows all, as a codec without a cipher does.
    ``bare`` reads rows of bare JSON, and ``bare_loads_many`` many of them at once; it is None if
    each row has to be looked at by itself. ``count_values`` and ``count_bare`` are methods of the
    serializers, None if they have none.
    """

    serializer: Serializer
    compressor: Compressor | None
    cipher: Cipher | None
    max_size: int
    max_values: int
    max_total: int
    header: bytes
    header_text: str
    serializers: Mapping[str, Serializer]
    compressors: Mapping[str, Compressor]
    ciphers: Mapping[str, Cipher]
    readers: tuple[Reader, ...]
    plaintext: Callable[[Stored], bool] | None
    count_values: CountValues | None
    bare: Serializer
    count_bare: CountValues | None
    bare_loads_many: BulkLoads | None

    def serializer_of(self, name: str) -> Serializer:
        """Return the serializer that reads rows of this name; raises CodecNotAcceptedError."""
        serializer: Serializer = stage_of(self.serializers, "serializer", name)
        return serializer

    def compressor_of(self, name: str) -> Compressor:
        """Return the compressor that reads rows of this name; raises CodecNotAcceptedError."""
        compressor: Compressor = stage_of(self.compressors, "compressor", name)
        return compressor

    def cipher_of(self, name: str) -> Cipher:
        """Return the cipher that reads rows of this name; raises CodecNotAcceptedError."""
        cipher = self.ciphers.get(name)
        if cipher is None:
            here = f"seals with {self.cipher.name}" if self.cipher else "has no cipher"
            raise CodecNotAcceptedError(
                f"The row is sealed with {name}, and this codec {here}. Was the codec setting "
                f"lost or changed? Configure that cipher, or accept it for a migration."
            )
        return cipher

    def check_plaintext(self, stored: Stored) -> None:
        """Raise PlaintextRefusedError for an unencrypted row that is not accepted."""
        if self.plaintext is not None and not self.plaintext(stored):
            raise PlaintextRefusedError(
                "The row is not sealed by strongroom, and this codec reads sealed rows only. Left "
                'from before encryption? Then accept=("plaintext",), or the reader for what wrote '
                "it, reads it until it is recoded. If not, somebody else has written it."
            )

    def payload_problem(
        self, size: int, data: Stored, count: CountValues | None
    ) -> PayloadError | None:
        """Return the error for a payload of so many bytes that exceeds a bound, or None.

        Nobody need ask for a payload of at most ``max_values`` bytes: a value takes a byte.
        """
        if size > self.max_size:
            return PayloadError(
                f"The row decodes to more than the {self.max_size} bytes of max_size."
            )
        if count is not None and count(data, self.max_values) > self.max_values:
            return PayloadError(
                f"The row holds more than the {self.max_values} values of max_values."
            )
        return None


def loads_many_of(serializer: Serializer) -> BulkLoads | None:
    """Return a serializer's ``loads_many``, or None if it has none.

    A subclass that overrides ``loads`` alone has a way of its own, which ``loads_many`` misses.
    """
    for kind in type(serializer).__mro__:
        if "loads_many" in vars(kind):
            loads_many: BulkLoads = serializer.loads_many  # type: ignore[attr-defined]  # seen above
            return loads_many
        if "loads" in vars(kind):
            return None
    return None


def count_values_of(serializer: Serializer) -> CountValues | None:
    """Return a serializer's ``count_values``, or None if it has none."""
    return getattr(serializer, "count_values", None)


def stage_of(own: Mapping[str, Any], kind: Literal["serializer", "compressor"], name: str) -> Any:
    """Return a stage of the codec, or the built-in one; a row never makes us load another."""
    stage = own.get(name) or registry.built_in(kind, name)
    if stage is None:
        raise CodecNotAcceptedError(
            f"The row needs the {kind} {name!r}, which this codec neither has nor accepts: "
            f"install what provides it, and name it in accept."
        )
    return stage
