"""Store-wide work takes as much memory for many rows as for few."""

import gc
import itertools
import json
import tracemalloc

import pytest

from strongroom import Codec, Key, Keyring
from strongroom.maintenance import copy, recode, verify

pytestmark = pytest.mark.slow

FEW, MANY = 2500, 12_000
KEYS = Keyring(Key.generate())
COPIES = itertools.count()


def lines(rows):
    for number in range(rows):
        item = {"role": "user", "content": "x" * 300, "n": number}
        yield json.dumps({"session_id": f"s{number // 30:06}", "item": item})


async def exported(store):
    async for _ in store.export_items():
        pass


async def recoded(database):
    codec = Codec.parse("orjson+aesgcm", keys=KEYS, accept=("plaintext",))
    return await recode(database.store(codec=codec))


async def copied(database):
    names = {"sessions_table": f"s{next(COPIES)}", "messages_table": f"m{next(COPIES)}"}
    return await copy(database.store(), database.store(codec="msgpack", **names))


OPERATIONS = {
    "verify": lambda database: verify(database.store()),
    "export": lambda database: exported(database.store()),
    "stats": lambda database: database.store().stats(),
    "copy": copied,
    "recode": recoded,
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_memory_is_flat(database, operation):
    store = database.store()
    await store.import_items(lines(50))
    await OPERATIONS[operation](database)  # whatever is built once
    peaks = []
    for rows in (FEW, MANY):
        for table in ("agent_messages", "agent_sessions"):
            await database.execute(f"DELETE FROM {table}")
        await store.import_items(lines(rows))
        peaks.append(await peak(OPERATIONS[operation](database)))
    assert peaks[1] < peaks[0] * 1.3, peaks


@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_an_import_holds_no_lines(database):
    """It does remember each session, which is little beside its lines."""
    store = database.store()
    await store.import_items(lines(50))
    peaks = [
        await peak(store.import_items(lines(rows), append=append))
        for rows, append in ((FEW, False), (MANY, True))
    ]
    assert peaks[1] < peaks[0] * 1.3, peaks


async def peak(operation):
    gc.collect()
    tracemalloc.start()
    try:
        await operation
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
