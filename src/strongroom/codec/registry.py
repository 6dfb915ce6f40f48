"""Names to stages: what the parts of a codec spec such as ``msgpack+zstd+aesgcm`` stand for.

Beside the built-in stages there are the entry points of installed distributions, in the groups
``strongroom.serializers``, ``strongroom.compressors`` and ``strongroom.ciphers``. An entry point
names a callable: without arguments for serializers and compressors, with a Keyring for ciphers. It
is loaded when a spec first names it, never at import, and never by what a row says. A name that is
claimed twice, a built-in one included, is an error as soon as a spec uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeAlias

from strongroom.codec.ciphers.aesgcm import AesGcmCipher
from strongroom.codec.ciphers.fernet import FernetCipher
from strongroom.codec.compressors.zlib import ZlibCompressor
from strongroom.codec.compressors.zstd import ZstdCompressor
from strongroom.codec.readers import PlaintextReader
from strongroom.codec.serializers.json import JsonSerializer
from strongroom.codec.serializers.msgpack import MsgpackSerializer
from strongroom.codec.serializers.orjson import OrjsonSerializer
from strongroom.errors import ConfigurationError, StrongroomError
from strongroom.format.envelope import check_name
from strongroom.protocols import Cipher, Compressor, Serializer

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

_PROTOCOLS: Mapping[Kind, type[Any]] = {
    "serializer": Serializer,
    "compressor": Compressor,
    "cipher": Cipher,
}


def find(name: str) -> tuple[Kind, Factory]:
    """Return what a name stands for: its kind, and what makes the stage.

    ConfigurationError if it stands for nothing, or for more than one thing; so does the factory
    raise if what it makes is no stage of this kind and name.
    """
    own = [(kind, stages[name]) for kind, stages in BUILT_IN.items() if name in stages]
    found = [(kind, point) for kind in _PROTOCOLS for point in _points(kind).get(name, ())]
    if own and not found:
        return own[0]
    if not found:
        raise ConfigurationError(
            f"There is no codec stage {name!r}; known are {_known()}. Misspelt? Or is the "
            f"distribution that provides it not installed here?"
        )
    if own or len(found) > 1:
        sources = sorted({_source(point) for _, point in found})
        raise ConfigurationError(
            f"The codec stage {name!r} is claimed "
            + (f"by strongroom itself and by {', '.join(sources)}. " if own else "")
            + (f"more than once, by {', '.join(sources)}. " if not own else "")
            + "Uninstall what you do not use, or pass a Codec that holds the stage itself."
        )
    kind, point = found[0]
    return kind, _checked(kind, point, _load(point))


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


@cache
def _points(kind: Kind) -> dict[str, list[EntryPoint]]:
    """Return the entry points of a kind by name.

    Read once for the process. What installs or removes distributions while it runs, as tests do,
    calls ``registry._points.cache_clear()`` afterwards.
    """
    points: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=f"strongroom.{kind}s"):
        points.setdefault(point.name, []).append(point)
    return points


def _load(point: EntryPoint) -> Factory:
    check_name(point.name)
    try:
        factory = point.load()
    except Exception as error:
        raise _unusable(
            point, f"cannot be loaded: {type(error).__name__}: {error}", "Repair or reinstall it"
        ) from error
    if not callable(factory):
        raise _unusable(point, f"is no callable, but {type(factory).__name__}")
    return factory  # type: ignore[no-any-return]  # entry points are untyped


def _checked(kind: Kind, point: EntryPoint, factory: Factory) -> Factory:
    """Return a factory that vouches for what it makes."""

    def make(*keys: Any) -> Any:
        problem = ""
        try:
            stage = factory(*keys)
        except StrongroomError:
            raise
        except Exception as error:  # noqa: BLE001 - a third party's factory may raise anything
            # Its message is not repeated: a cipher's factory has been given keys.
            problem = f"cannot be made: {type(error).__name__} from {point.value}"
        if problem:
            del keys
            raise _unusable(point, problem)
        if isinstance(stage, type) or not isinstance(stage, _PROTOCOLS[kind]):
            raise _unusable(point, f"is no {kind}, but {type(stage).__name__}")
        if stage.name != point.name:
            raise _unusable(point, f"calls itself {stage.name!r}, by which rows would name it")
        return stage

    return make


def _unusable(
    point: EntryPoint, problem: str, advice: str = "Upgrade it, or tell its authors"
) -> ConfigurationError:
    return ConfigurationError(
        f"The codec stage {point.name!r} of the distribution {_source(point)} {problem}. {advice}."
    )


def _source(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _known() -> str:
    kinds = []
    for kind in _PROTOCOLS:
        names = dict.fromkeys([*BUILT_IN[kind], *_points(kind)])
        kinds.append(f"{kind}s {', '.join(names)}")
    return "; ".join(kinds)
