"""Keys rotated in three steps, with processes of different configuration at each step."""

import asyncio
import multiprocessing

import pytest
from killed import append_and_read, ring

from strongroom import Key, UnknownKeyError, describe
from strongroom.maintenance import recode

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["strongroom.session.session", "aiosqlite", "killed"])

pytestmark = pytest.mark.databases("sqlite-file", column_types=("text",))

OLD, NEW = Key.generate().to_base64(), Key.generate().to_base64()
CODEC = "orjson+aesgcm"


async def run_side_by_side(database, *configurations):
    """Run a process for each list of keys, at the same time, and expect all to succeed."""
    url = database.url.render_as_string(hide_password=False)
    started = [
        PROCESSES.Process(
            target=append_and_read, args=(url, database.column_type, CODEC, keys, f"{at}", 20)
        )
        for at, keys in enumerate(configurations)
    ]
    for process in started:
        process.start()
    for process in started:
        await asyncio.to_thread(process.join, 120)
    return [process.exitcode for process in started]


async def test_three_steps_never_fail_a_read(database):
    await database.session("s", codec=CODEC, keys=ring(OLD)).add_items([{"by": "before", "n": 0}])
    # 1. Every process reads the new key.
    assert await run_side_by_side(database, [OLD], [OLD, NEW]) == [0, 0]
    # 2. Every process writes it.
    assert await run_side_by_side(database, [OLD, NEW], [NEW, OLD]) == [0, 0]
    # 3. Rows are recoded, and the old key is dropped.
    await recode(database.store(codec=CODEC, keys=ring(NEW, OLD)))
    assert await run_side_by_side(database, [NEW, OLD], [NEW]) == [0, 0]
    new = Key.from_base64(NEW)
    assert {describe(value).key_id for _, value in await database.rows()} == {new.id}
    with pytest.raises(UnknownKeyError):
        await database.session("s", codec=CODEC, keys=ring(OLD)).get_items()


async def test_writing_the_new_key_before_everybody_reads_it_fails_readers(database):
    await database.session("s", codec=CODEC, keys=ring(NEW)).add_items([{"by": "hasty", "n": 0}])
    assert (await run_side_by_side(database, [OLD]))[0] != 0
