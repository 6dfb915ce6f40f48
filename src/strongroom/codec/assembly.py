"""Checks the stages of a codec, and lays them out as a chain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from strongroom.codec import registry
from strongroom.codec.bounds import Bounds
from strongroom.codec.chain import Chain, count_values_of, loads_many_of, stage_of
from strongroom.errors import ConfigurationError
from strongroom.format import envelope
from strongroom.format.text import to_text
from strongroom.protocols import Cipher, Compressor, Reader, Serializer, Stored


def assemble(
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
    bare = stage_of(tables["serializer"], "serializer", "json")
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


def _nothing(stored: Stored) -> bool:
    return False
