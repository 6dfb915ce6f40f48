"""Items to try codecs on: drawn from a store, or read from a file."""

from __future__ import annotations

import random
from collections.abc import Iterable

from strongroom.codec.guards import Outcome
from strongroom.codec.serializers.orjson import OrjsonSerializer
from strongroom.errors import ConfigurationError, StrongroomError
from strongroom.protocols import Item
from strongroom.store.jsonlines import load_line
from strongroom.store.row_decoder import RowDecoder
from strongroom.store.store import SessionStore, core_of
from strongroom.store.walk import walk, walk_prefixes, walk_sessions

_MOST_SESSIONS = 200


async def sample_items(store: SessionStore, rows: int, *, prefix: str | None = None) -> list[Item]:
    """Return the items of at most so many rows, drawn from up to 200 sessions drawn at random.

    Raises DecodeError for a row that does not open.
    """
    core = core_of(store)
    chance = random.Random()  # noqa: S311 - a sample is no secret
    names: list[str] = []
    seen = 0
    async for page in walk_sessions(core, prefix=prefix):
        for session in page:
            seen += 1
            if len(names) < _MOST_SESSIONS:
                names.append(session.session_id)
            elif (place := chance.randrange(seen)) < _MOST_SESSIONS:
                names[place] = session.session_id
    drawn: list[tuple[str, int]] = []
    for name in names:
        ids = [row.row_id async for page in walk_prefixes(core, session_id=name) for row in page]
        chosen = chance.sample(ids, min(len(ids), rows))
        drawn += [(name, row_id) for row_id in chosen]
    wanted = set(chance.sample(drawn, min(len(drawn), rows)))
    decoder = RowDecoder(core)
    items: list[Item] = []
    try:
        for name in {session_id for session_id, _ in wanted}:
            async for batch in walk(core, session_id=name, wanted=lambda row: row[:2] in wanted):
                refused = _take_readable(await decoder.decode(batch.rows), items)
                if refused is not None:
                    raise refused
        return items
    finally:
        del items  # an error keeps this frame


def _take_readable(outcomes: list[Outcome], items: list[Item]) -> StrongroomError | None:
    """Add items to a list up to the first that cannot be read; returns its error."""
    for outcome in outcomes:
        if isinstance(outcome, StrongroomError):
            return outcome
        items.append(outcome)
    return None


def read_items(lines: Iterable[str], most: int) -> list[Item]:
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
