"""The codec: one serializer, perhaps a compressor, perhaps a cipher, and what else may be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from strongroom.codec import chain, registry
from strongroom.codec.bounds import MAX_SIZE, resolve
from strongroom.codec.chain import Chain
from strongroom.codec.row_codec import RowCodec
from strongroom.errors import ConfigurationError
from strongroom.keys.keyring import Keyring
from strongroom.protocols import (
    Cipher,
    Compressor,
    Item,
    Reader,
    Serializer,
    Stored,
)


@dataclass(frozen=True)
class Codec:
    """How items become rows and rows become items again: a frozen value.

    ``accept`` names or holds what else may be read and is never written: ciphers, readers of
    foreign rows, third-party stages. ``max_size`` bounds the bytes that a row decodes to,
    ``max_values`` the values that it holds (by default ``max_size // 8``); both also bound what may
    be written. ``max_total`` bounds the bytes that one call decodes, where each value counts as 64
    bytes at least (by default 512 MiB, or more if one row may take more). Raises ConfigurationError
    for stages that do not fit together.
    """

    serializer: Serializer
    compressor: Compressor | None = field(default=None, kw_only=True)
    cipher: Cipher | None = field(default=None, kw_only=True)
    accept: tuple[Cipher | Reader | Serializer | Compressor | str, ...] = field(
        default=(), kw_only=True
    )
    max_size: int = field(default=MAX_SIZE, kw_only=True)
    max_values: int | None = field(default=None, kw_only=True)
    max_total: int | None = field(default=None, kw_only=True)
    _chain: Chain = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the stages, resolve the names in accept and lay the tables for reading."""
        _check_accept(self.accept)
        bounds = resolve(self.max_size, self.max_values, self.max_total)
        object.__setattr__(self, "max_values", bounds.values)
        object.__setattr__(self, "max_total", bounds.total)
        accept = tuple(
            _named(stage, keys=None)[1] if isinstance(stage, str) else stage
            for stage in self.accept
        )
        object.__setattr__(self, "accept", accept)
        stages = (self.serializer, self.compressor, self.cipher)
        object.__setattr__(self, "_chain", chain.build(*stages, accept, bounds))

    @classmethod
    def parse(
        cls,
        spec: str,
        *,
        keys: Keyring | None = None,
        accept: Iterable[Cipher | Reader | Serializer | Compressor | str] = (),
        max_size: int = MAX_SIZE,
        max_values: int | None = None,
        max_total: int | None = None,
    ) -> Self:
        """Build the codec that a spec such as ``"msgpack+zstd+fernet"`` describes.

        ``keys`` is for the ciphers that the spec or ``accept`` name, and the bounds are those of
        the class. Raises ConfigurationError for
        an unknown or misplaced name, a cipher without keys, or keys that nothing uses.
        """
        if not isinstance(spec, str):
            raise ConfigurationError(f"A codec spec is a str, not {type(spec).__name__}.")
        _check_accept(accept)
        accept = tuple(accept)
        kinds, stages = zip(*(_named(name, keys) for name in spec.split("+")), strict=True)
        if kinds not in _SHAPES:
            raise ConfigurationError(
                f"The codec spec {spec!r} is not serializer[+compressor][+cipher], such as "
                f"'json', 'orjson+fernet' or 'msgpack+zstd+aesgcm'."
            )
        accepted = tuple(
            _named(stage, keys)[1] if isinstance(stage, str) else stage for stage in accept
        )
        if keys is not None and not any(_uses_keys(name) for name in (*spec.split("+"), *accept)):
            raise ConfigurationError(
                f"The codec {spec!r} has no cipher, so its keys would not be used: name one, as "
                f"in '{spec}+aesgcm', or leave the keys out."
            )
        return cls(
            **dict(zip(kinds, stages, strict=True)),
            accept=accepted,
            max_size=max_size,
            max_values=max_values,
            max_total=max_total,
        )

    @property
    def spec(self) -> str:
        """The names of the stages, joined by ``+``: what ``parse`` takes."""
        stages = (self.serializer, self.compressor, self.cipher)
        return "+".join(stage.name for stage in stages if stage is not None)

    @property
    def header(self) -> bytes:
        """The header of the rows that this codec writes; empty for bare JSON."""
        return self._chain.header

    def bind(self, context: str, namespace: str = "") -> RowCodec:
        """Return the codec for the rows of one context, which for sessions is the session id."""
        for text in (context, namespace):
            if not text.isascii() and any("\ud800" <= mark <= "\udfff" for mark in text):
                raise ValueError("A context and a namespace are text without lone surrogates.")
        return RowCodec(self._chain, context, namespace)

    def encode(self, item: Item, *, context: str, namespace: str = "") -> bytes:
        """Return the row of an item; raises EncodeError."""
        try:
            return self.bind(context, namespace).encode(item)
        finally:
            del item  # an error keeps this frame

    def decode(self, stored: Stored, *, context: str, namespace: str = "") -> Item:
        """Return the item of a row, in its text form (str) or binary form; raises DecodeError."""
        return self.bind(context, namespace).decode(stored)


_SHAPES = {
    ("serializer",),
    ("serializer", "compressor"),
    ("serializer", "cipher"),
    ("serializer", "compressor", "cipher"),
}


def _check_accept(accept: object) -> None:
    """Refuse a bare string, which would be taken letter by letter."""
    if isinstance(accept, str) or not isinstance(accept, Iterable):
        raise ConfigurationError('accept is a tuple, such as accept=("plaintext",).')


def _named(name: str, keys: Keyring | None) -> tuple[registry.Kind, Any]:
    """Return the kind and the stage of a name."""
    kind, factory = registry.find(name)
    if kind != "cipher":
        return kind, factory()
    if keys is None:
        raise ConfigurationError(
            f"The cipher {name!r} needs keys: pass keys=Keyring(…) with the spec "
            f"(Codec.parse takes them for the names in accept too)."
        )
    return kind, factory(keys)


def _uses_keys(stage: object) -> bool:
    return isinstance(stage, str) and registry.find(stage)[0] == "cipher"
