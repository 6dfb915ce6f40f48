"""The stages of a codec, checked, and laid out for reading and writing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from strongroom.codec import registry
from strongroom.codec.allowance import CountValues
from strongroom.codec.bounds import Bounds
from strongroom.errors import (
    CodecNotAcceptedError,
    ConfigurationError,
    PayloadError,
    PlaintextRefusedError,
)
from strongroom.format import envelope
from strongroom.format.text import to_text
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
        serializer: Serializer = _stage(self.serializers, "serializer", name)
        return serializer

    def compressor_of(self, name: str) -> Compressor:
        """Return the compressor that reads rows of this name; raises CodecNotAcceptedError."""
        compressor: Compressor = _stage(self.compressors, "compressor", name)
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


def build(
    serializer: Serializer,
    compressor: Compressor | None,
    cipher: Cipher | None,
    accept: Iterable[Cipher | Reader | Serializer | Compressor],
    bounds: Bounds,
) -> Chain:
    """Return the chain of these stages; ConfigurationError if they do not fit together."""
    tables: dict[str, dict[str, Any]] = {
        kind: {} for kind in ("serializer", "compressor", "cipher", "reader")
    }
    for kind, stage in _own_stages(serializer, compressor, cipher):
        _add(tables, kind, stage)
    for accepted in accept:
        _add(tables, _kind(accepted), accepted)
    header = _header_of(serializer, compressor, cipher)
    plaintext = tables["reader"].pop("plaintext", None)
    readers = tuple(tables["reader"].values())
    bare = _stage(tables["serializer"], "serializer", "json")
    looks_at_each = cipher is not None or bool(readers)
    return Chain(
        serializer=serializer,
        compressor=compressor,
        cipher=cipher,
        max_size=bounds.size,
        max_values=bounds.values,
        max_total=bounds.total,
        header=header,
        header_text=to_text(header),
        serializers=tables["serializer"],
        compressors=tables["compressor"],
        ciphers=tables["cipher"],
        readers=readers,
        plaintext=(plaintext.matches if plaintext else _nothing) if cipher else None,
        count_values=count_values_of(serializer),
        bare=bare,
        count_bare=count_values_of(bare),
        bare_loads_many=None if looks_at_each else loads_many_of(bare),
    )


def _header_of(
    serializer: Serializer, compressor: Compressor | None, cipher: Cipher | None
) -> bytes:
    """Return the header of the rows that these stages write; empty for bare JSON."""
    header = envelope.build_header(
        serializer.name,
        compressor.name if compressor else None,
        cipher.name if cipher else None,
        getattr(cipher, "key_id", None),
    )
    return b"" if header == _BARE else header


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


_BARE = envelope.build_header("json")


def _own_stages(
    serializer: object, compressor: object, cipher: object
) -> Iterable[tuple[registry.Kind, object]]:
    """Yield the stages that a codec writes with; ConfigurationError for one that is none."""
    own: tuple[tuple[registry.Kind, object, type[Any]], ...] = (
        ("serializer", serializer, Serializer),
        ("compressor", compressor, Compressor),
        ("cipher", cipher, Cipher),
    )
    for kind, stage, protocol in own:
        if stage is None and kind != "serializer":
            continue
        if not isinstance(stage, protocol):
            raise ConfigurationError(
                f"A codec's {kind} has to be one, and {type(stage).__name__} is not: a spec is "
                f"read by Codec.parse."
            )
        yield kind, stage


def _kind(stage: object) -> registry.Kind:
    """Tell what an object in accept is."""
    if isinstance(stage, Cipher):
        return "cipher"
    if isinstance(stage, Reader):
        return "reader"
    if isinstance(stage, Compressor):
        return "compressor"
    if isinstance(stage, Serializer):
        return "serializer"
    raise ConfigurationError(
        f"accept takes ciphers, readers, serializers, compressors and their names, not "
        f"{type(stage).__name__}."
    )


def _add(tables: dict[str, dict[str, Any]], kind: Any, stage: Any) -> None:
    """Enter a stage under the name that rows use for it."""
    envelope.check_name(stage.name)
    taken = stage.name in envelope.BUILT_IN and kind != "reader"
    if taken and not registry.is_built_in(kind, stage):
        raise ConfigurationError(
            f"The {kind} {type(stage).__name__} bears the name {stage.name!r}, which is that of a "
            f"built-in one: rename it, or its rows could not be told from those."
        )
    name = envelope.wire_name(stage.name) if kind == "serializer" else stage.name
    present = tables[kind].setdefault(name, stage)
    if present is not stage and present != stage and kind in {"cipher", "reader"}:
        raise ConfigurationError(
            f"The codec has the {kind} {name!r} twice: put all keys into one keyring."
        )


def _stage(own: Mapping[str, Any], kind: Literal["serializer", "compressor"], name: str) -> Any:
    """Return a stage of the codec, or the built-in one; a row never makes us load another."""
    stage = own.get(name) or registry.built_in(kind, name)
    if stage is None:
        raise CodecNotAcceptedError(
            f"The row needs the {kind} {name!r}, which this codec neither has nor accepts: "
            f"install what provides it, and name it in accept."
        )
    return stage


def _nothing(stored: Stored) -> bool:
    return False
