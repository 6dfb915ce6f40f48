"""Processes killed in the middle of writing."""

import multiprocessing
import random
import signal

import pytest
from killed import ring, write_until_killed

import tiers
from strongroom import Key

pytestmark = pytest.mark.slow

KILLS = tiers.by_tier(full=50, long=500)
KEYS = [Key.generate().to_base64()]

# Started from a server that holds the imports, so that a process costs milliseconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["strongroom.session.session", "aiosqlite", "killed"])


def check_whole_batches(items):
    """Check that the items are whole batches, one after the other."""
    at = 0
    while at < len(items):
        size = items[at]["of"]
        batch = items[at : at + size]
        assert [item["n"] for item in batch] == list(range(size)), batch
        assert len({(item["by"], item["batch"]) for item in batch}) == 1, batch
        at += size


@pytest.mark.databases("sqlite-file")
async def test_a_killed_writer_leaves_whole_batches(database):
    codec = "msgpack+zstd+aesgcm" if database.column_type == "binary" else "orjson+fernet"
    keys = ring(*KEYS)
    await database.session("s", codec=codec, keys=keys).clear_session()
    url = database.url.render_as_string(hide_password=False)
    chance = random.Random(database.column_type)
    for kill in range(KILLS // 2):
        begun = PROCESSES.Event()
        writer = PROCESSES.Process(
            target=write_until_killed,
            args=(url, database.column_type, codec, KEYS, f"w{kill}", begun),
        )
        writer.start()
        assert begun.wait(60)
        writer.join(chance.uniform(0.0, 0.06))
        writer.kill()
        writer.join()
        assert writer.exitcode == -signal.SIGKILL
        items = await database.session("s", codec=codec, keys=keys).get_items()
        assert items[-1]["by"] == f"w{kill}"
        check_whole_batches(items)
