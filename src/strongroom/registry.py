"""Names to stages: what the parts of a codec spec such as ``msgpack+zstd+aesgcm`` stand for.

Built-in stages come first; after them the entry points of installed distributions are asked, in
the groups ``strongroom.serializers``, ``strongroom.compressors`` and ``strongroom.ciphers``. An
entry point names a callable: without arguments for serializers and compressors, with a Keyring for
ciphers. It is loaded when a spec first names it, never at import, and never by what a row says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeAlias

from strongroom.ciphers.aesgcm import AesGcmCipher
from strongroom.ciphers.fernet import FernetCipher
from strongroom.compressors.zlib import ZlibCompressor
from strongroom.compressors.zstd import ZstdCompressor
from strongroom.envelope import check_name
from strongroom.errors import ConfigurationError
from strongroom.readers import PlaintextReader
from strongroom.serializers.json import JsonSerializer
from strongroom.serializers.msgpack import MsgpackSerializer
from strongroom.serializers.orjson import OrjsonSerializer

Kind: TypeAlias = Literal["serializer", "compressor", "cipher", "reader"]
Factory: TypeAlias = Callable[..., Any]

BUILT_IN: Mapping[Kind, Mapping[str, type[Any]]] = {
    "serializer": {
        "json": JsonSerializer,
        "orjson": OrjsonSerializer,
        "msgpack": MsgpackSerializer,
    },
    "compressor": {"zlib": ZlibCompressor, "zstd": ZstdCompressor},
    "cipher": {"fernet": FernetCipher, "aesgcm": AesGcmCipher},
    "reader": {"plaintext": PlaintextReader},
}


def find(name: str) -> tuple[Kind, Factory]:
    """Return what a name stands for; ConfigurationError if nothing or more than one thing."""
    for kind, stages in BUILT_IN.items():
        if name in stages:
            return kind, stages[name]
    found = [(kind, point) for kind in _groups() for point in _points(kind).get(name, ())]
    if not found:
        raise ConfigurationError(f"There is no codec stage {name!r}; known are {_known()}.")
    if len(found) > 1:
        sources = ", ".join(sorted(_source(point) for _, point in found))
        raise ConfigurationError(
            f"The codec stage {name!r} is claimed by several distributions: {sources}. "
            f"Uninstall all but one, or pass a Codec that holds the stage itself."
        )
    kind, point = found[0]
    return kind, _load(point)


def is_built_in(kind: Kind, stage: object) -> bool:
    """Tell whether a stage is one of strongroom's own, or a subclass of one."""
    return isinstance(stage, tuple(BUILT_IN[kind].values()))


@cache
def built_in(kind: Literal["serializer", "compressor"], name: str) -> Any:
    """Return the built-in stage that reads what a row calls by this name, or None.

    MissingDependencyError if its library is not installed.
    """
    reading = {"json": "orjson"}.get(name, name)
    factory = BUILT_IN[kind].get(reading)
    return factory() if factory is not None else None


def _groups() -> tuple[Kind, ...]:
    return ("serializer", "compressor", "cipher")


@cache
def _points(kind: Kind) -> dict[str, list[EntryPoint]]:
    """Return the entry points of a kind by name, those of built-in names left out."""
    taken = {name for stages in BUILT_IN.values() for name in stages}
    points: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=f"strongroom.{kind}s"):
        if point.name not in taken:
            points.setdefault(point.name, []).append(point)
    return points


def _load(point: EntryPoint) -> Factory:
    check_name(point.name)
    problem = ""
    try:
        factory = point.load()
    except (ImportError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error}"
        cause: Exception | None = error
    else:
        if callable(factory):
            return factory  # type: ignore[no-any-return]  # entry points are untyped
        problem, cause = "it is not callable", None
    raise ConfigurationError(
        f"The codec stage {point.name!r} of {_source(point)} cannot be loaded: {problem}. "
        f"Repair or reinstall that distribution."
    ) from cause


def _source(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _known() -> str:
    kinds = []
    for kind, stages in BUILT_IN.items():
        if kind != "reader":
            names = [*stages, *(_points(kind) if kind in _groups() else ())]
            kinds.append(f"{kind}s {', '.join(names)}")
    return "; ".join(kinds)
