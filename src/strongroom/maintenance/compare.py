"""Trying every codec on rows of one's own, to choose one."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from strongroom.codec import registry
from strongroom.codec.codec import Codec
from strongroom.codec.serializers.orjson import OrjsonSerializer
from strongroom.errors import ConfigurationError, MissingDependencyError, StrongroomError
from strongroom.format import envelope
from strongroom.keys.key import Key
from strongroom.keys.keyring import Keyring
from strongroom.maintenance.progress import Progress
from strongroom.protocols import Item, Stored
from strongroom.sql.schema import ColumnType
from strongroom.store.jsonlines import load_line
from strongroom.store.store import SessionStore
from strongroom.store.walk import Opener, walk, walk_heads, walk_sessions

_MOST_SESSIONS = 200
_ROUNDS = 5
_SECONDS_A_CODEC = 1.0
_BASELINE = "json"


@dataclass(frozen=True, kw_only=True)
class CodecFigures:
    """What a codec makes of the items; ``encode_us`` and ``decode_us`` are microseconds an item.

    ``bytes`` is what the column holds for all of them, and ``ratio`` that against bare JSON.
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
    bare = next((figures.bytes for figures in found if figures.spec == _BASELINE), 0)
    figures = [_against(one, bare) for one in sorted(found, key=lambda one: one.bytes)]
    return CompareReport(items=len(items), bytes=bare, codecs=tuple(figures), left_out=left_out)


async def sample(store: SessionStore, rows: int, *, prefix: str | None = None) -> list[Item]:
    """Return the items of at most so many rows, drawn from up to 200 sessions drawn at random.

    Raises DecodeError for a row that does not open.
    """
    chance = random.Random()  # noqa: S311 - a sample is no secret
    names: list[str] = []
    seen = 0
    async for page in walk_sessions(store, prefix=prefix):
        for session in page:
            seen += 1
            if len(names) < _MOST_SESSIONS:
                names.append(session.session_id)
            elif (place := chance.randrange(seen)) < _MOST_SESSIONS:
                names[place] = session.session_id
    drawn: list[tuple[str, int]] = []
    for name in names:
        ids = [h.row_id async for heads in walk_heads(store, session_id=name) for h in heads]
        chosen = chance.sample(ids, min(len(ids), rows))
        drawn += [(name, row_id) for row_id in chosen]
    wanted = set(chance.sample(drawn, min(len(drawn), rows)))
    opener, items = Opener(store), []
    for name in {session_id for session_id, _ in wanted}:
        async for batch in walk(store, session_id=name, wanted=lambda h: h[:2] in wanted):
            for outcome in await opener.open(batch.rows):
                if isinstance(outcome, StrongroomError):
                    raise outcome
                items.append(outcome)
    return items


def read_lines(lines: Iterable[str], most: int) -> list[Item]:
    """Return the items of JSON Lines: those of an export, or an item a line.

    Raises ConfigurationError with the number of a line that is neither.
    """
    items: list[Item] = []
    for number, line in enumerate(lines, 1):
        if len(items) == most:
            break
        if not line.strip():
            continue
        record = load_line(line)
        if not isinstance(record, str):
            items.append(record[2])
            continue
        problem = False
        try:
            items.append(OrjsonSerializer().loads(line))
        except StrongroomError:
            problem = True  # raised below, as that error has seen the line
        if problem:
            raise ConfigurationError(f"Line {number} is not JSON.")
    return items


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
