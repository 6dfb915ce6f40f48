"""Trying every codec on rows of one's own, to choose one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from strongroom.codec import registry
from strongroom.codec.codec import Codec
from strongroom.errors import ConfigurationError, MissingDependencyError, StrongroomError
from strongroom.format import envelope
from strongroom.keys.key import Key
from strongroom.keys.keyring import Keyring
from strongroom.maintenance.progress import Progress
from strongroom.protocols import Item, Stored
from strongroom.sql.schema import ColumnType

_ROUNDS = 5
_SECONDS_A_CODEC = 1.0
_BASELINE = "json"


@dataclass(frozen=True, kw_only=True)
class CodecFigures:
    """The size and the speed of a codec; ``encode_us`` and ``decode_us`` are microseconds an item.

    ``bytes`` is the size of all items as stored, ``ratio`` that size over the one of bare JSON.
    """

    spec: str
    encrypted: bool
    bytes: int
    ratio: float
    encode_us: float
    decode_us: float


@dataclass(frozen=True, kw_only=True)
class CompareReport:
    """The codecs, the smallest first; ``left_out`` says why of those that could not be tried.

    ``bytes`` is the size of the items as bare JSON, as openai-agents stores them.
    """

    items: int
    bytes: int
    codecs: tuple[CodecFigures, ...]
    left_out: Mapping[str, str]


def compare(
    items: Sequence[Item],
    *,
    column_type: ColumnType = "text",
    progress: Callable[[Progress], object] | None = None,
) -> CompareReport:
    """Encode and decode the items with every combination of built-in stages.

    The times are the shortest of several rounds. Raises ConfigurationError if there are no items.
    """
    if not items:
        raise ConfigurationError("There are no items to compare codecs on.")
    keys = Keyring(Key.generate())
    specs = _specs()
    found: list[CodecFigures] = []
    left_out: dict[str, str] = {}
    count = len(items)
    try:
        for done, spec in enumerate(specs):
            if progress is not None:
                progress(Progress(done, len(specs), "compare"))
            try:
                encrypted = spec.rpartition("+")[2] in registry.BUILT_IN["cipher"]
                codec = Codec.parse(spec, keys=keys if encrypted else None)
                found.append(_measure(codec, items, column_type))
            except MissingDependencyError as error:
                left_out[spec] = error.message
            except StrongroomError as error:
                left_out[spec] = f"{type(error).__name__}: {error.message}"
        if progress is not None:
            progress(Progress(len(specs), len(specs), "compare"))
    finally:
        del items  # an error keeps this frame
    bare = next((figures.bytes for figures in found if figures.spec == _BASELINE), 0)
    figures = [_against(one, bare) for one in sorted(found, key=lambda one: one.bytes)]
    return CompareReport(items=count, bytes=bare, codecs=tuple(figures), left_out=left_out)


def _specs() -> list[str]:
    serializers = registry.BUILT_IN["serializer"]
    compressors = ["", *registry.BUILT_IN["compressor"]]
    ciphers = ["", *registry.BUILT_IN["cipher"]]
    return [
        "+".join(filter(None, stages))
        for stages in itertools.product(serializers, compressors, ciphers)
    ]


def _measure(codec: Codec, items: Sequence[Item], column_type: ColumnType) -> CodecFigures:
    bound = codec.bind("compare")
    text = column_type == "text"

    def encode() -> list[Stored]:
        rows = map(bound.encode, items)
        return [envelope.column_text(row) for row in rows] if text else list(rows)

    stored = encode()
    for outcome in bound.decode_many(stored):
        if isinstance(outcome, StrongroomError):
            raise outcome
    encoding = decoding = float("inf")
    deadline = perf_counter() + _SECONDS_A_CODEC
    for _ in range(_ROUNDS):
        start = perf_counter()
        encode()
        middle = perf_counter()
        bound.decode_many(stored)
        end = perf_counter()
        encoding, decoding = min(encoding, middle - start), min(decoding, end - middle)
        if end > deadline:
            break
    return CodecFigures(
        spec=codec.spec,
        encrypted=codec.cipher is not None,
        bytes=sum(map(len, stored)),
        ratio=0.0,
        encode_us=round(1e6 * encoding / len(items), 2),
        decode_us=round(1e6 * decoding / len(items), 2),
    )


def _against(figures: CodecFigures, bare: int) -> CodecFigures:
    ratio = round(figures.bytes / bare, 3) if bare else 1.0
    return CodecFigures(**(vars(figures) | {"ratio": ratio}))
