"""What happens at the limits: long batches beside a heartbeat, a million rows, many sessions."""

from __future__ import annotations

import asyncio
import gc
import statistics
from pathlib import Path
from time import perf_counter
from typing import Any

import corpus
from contenders import Agents, Encrypted, Strongroom, execute
from servers import Site
from strongroom import SessionStore

STALL_BYTES = 50_000_000
_BEAT = 0.001
_STALL_CODECS = ("json", "orjson", "orjson+fernet", "orjson+aesgcm", "msgpack+zstd+aesgcm, binary")


# The event loop ---------------------------------------------------------------------------------


async def stalls(site: Site, size: int) -> dict[str, dict[str, float]]:
    """Return the longest gap of a heartbeat while much is written, and while it is read."""
    items: list[Any] = []
    weight = 0
    while weight < size:
        more = corpus.items("tools", len(items) + 500)[len(items) :]
        weight += sum(len(str(item)) for item in more)
        items += more
    result = {}
    for contender in [Agents(), Encrypted(), *map(Strongroom, _STALL_CODECS)]:
        await contender.open(await asyncio.to_thread(site.make_database))
        session = contender.session("large")
        write_gap, write_time = await _beside_heartbeat(session.add_items(items))
        read_gap, read_time = await _beside_heartbeat(session.get_items())
        await contender.close()
        gc.collect()
        result[contender.name] = {
            "write gap": write_gap,
            "write": write_time,
            "read gap": read_gap,
            "read": read_time,
        }
    return result


async def _beside_heartbeat(work: Any) -> tuple[float, float]:
    """Return the longest gap between two beats, beyond the beat, and how long the work took."""
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        last = perf_counter()
        while True:
            await asyncio.sleep(_BEAT)
            now = perf_counter()
            longest = max(longest, now - last - _BEAT)
            last = now

    heart = asyncio.create_task(beat())
    await asyncio.sleep(0.02)
    longest = 0.0
    begin = perf_counter()
    await work
    took = perf_counter() - begin
    await asyncio.sleep(0.005)
    heart.cancel()
    return longest, took


# Size -------------------------------------------------------------------------------------------

_SEQUENCES = {
    # Numbers from 1 to N, and how ids are made text.
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) ",
    "postgresql": "WITH n(i) AS (SELECT generate_series(1, {})) ",
}
_ROW = '{"role":"user","content":"Row of a long history: ' + "thirty words of it. " * 5 + '"}'


async def scale(site: Site, rows: int, sessions: int, rounds: int) -> dict[str, Any]:
    """Return what reading takes in a long session beside a short one, and in a full table."""
    url = await asyncio.to_thread(site.make_database)
    few = await _store(url, "few")
    many = await _store(url, "many")
    sequence = _SEQUENCES[url.get_backend_name()]
    await execute(
        url,
        *_population("few", 10, sequence),
        *_population("many", sessions, sequence),
        _insert("few", "'long'", sequence.format(rows)),
        "ANALYZE",
    )
    try:
        reads = {
            "last 20 of 100 rows": few.session("short"),
            f"last 20 of {rows:,} rows": few.session("long"),
            "27 rows, 10 other sessions": few.session("27"),
            f"27 rows, {sessions:,} other sessions": many.session("27"),
        }
        times: dict[str, list[float]] = {name: [] for name in reads}
        for number in range(rounds + 3):
            for name, session in reads.items():
                limit = 20 if name.startswith("last") else None
                begin = perf_counter()
                await session.get_items(limit)
                if number >= 3:
                    times[name].append(perf_counter() - begin)
        memory = await _memory_of_iteration(few.session("long"))
    finally:
        await few.aclose()
        await many.aclose()
    return {
        "times": {name: statistics.median(taken) for name, taken in times.items()},
        "memory": memory,
    }


def _population(name: str, sessions: int, sequence: str) -> list[str]:
    """Return statements that fill a table with sessions of 10 rows, and those that are read."""
    return [
        (
            f"{sequence.format(sessions)}INSERT INTO {name}_sessions (session_id) "
            "SELECT 'other ' || i FROM n"
        ),
        f"INSERT INTO {name}_sessions (session_id) VALUES ('long'), ('short'), ('27')",
        _insert(name, f"'other ' || (i % {sessions} + 1)", sequence.format(sessions * 10)),
        _insert(name, "'short'", sequence.format(100)),
        _insert(name, "'27'", sequence.format(27)),
    ]


def _insert(name: str, session_id: str, sequence: str) -> str:
    return (
        f"{sequence}INSERT INTO {name}_messages (session_id, message_data) "
        f"SELECT {session_id}, '{_ROW}' FROM n"
    )


async def _store(url: Any, name: str) -> SessionStore:
    store = SessionStore.from_url(
        url,
        create_tables=True,
        codec="orjson",
        sessions_table=f"{name}_sessions",
        messages_table=f"{name}_messages",
    )
    await store.create_tables()
    return store


async def _memory_of_iteration(session: Any) -> dict[str, float]:
    """Return how much memory iter_items adds, and how long it takes for all the rows."""
    gc.collect()
    count = 0
    start = most = _resident()
    begin = perf_counter()
    async for _ in session.iter_items():
        count += 1
        if count % 10_000 == 0:
            most = max(most, _resident())
    return {"rows": count, "seconds": perf_counter() - begin, "bytes": most - start}


def _resident() -> int:
    """Return the resident memory of this process in bytes."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0  # not Linux
    return pages * 4096
