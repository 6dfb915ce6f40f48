"""Recoding a store in use, with real processes and real kills."""

import asyncio
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

import tiers
from strongroom import Key, Keyring, describe
from strongroom.maintenance import verify

sys.path.insert(0, str(Path(__file__).parent))

import live

pytestmark = pytest.mark.slow

ROWS = tiers.by_tier(full=2400, long=100_000)
KILLS = tiers.by_tier(full=5, long=20)
WORKERS = 4
SCRIPT = Path(__file__).with_name("live.py")


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql")
async def test_recode_under_traffic_and_kills_loses_nothing(database, tmp_path):
    idle = [f"idle {number}" for number in range(8)]
    mine = [[f"{worker}/{number}" for number in range(4)] for worker in range(WORKERS)]
    old, new = Key.generate(), Key.generate()
    config = {
        "url": database.url.render_as_string(hide_password=False),
        "column_type": database.column_type,
        "old": old.to_base64(),
        "new": new.to_base64(),
        "folder": str(tmp_path),
        "rows": ROWS // (len(idle) + WORKERS * 4),
        "workers": mine,
        "batch_rows": max(20, ROWS // 500),
    }
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    await database.store().create_tables()
    await live.fill(config, [*idle, *(name for names in mine for name in names)])
    deadlocks = await deadlocks_of(database)

    workers = [start(path, "work", str(number)) for number in range(WORKERS)]
    try:
        killed = await kill_some(path)
        (tmp_path / "settle").touch()
        await asyncio.sleep(0.5)  # until every worker has seen it
        report = json.loads(await finish(start(path, "recode")))
    finally:
        (tmp_path / "stop").touch()
        said = await asyncio.gather(*map(finish, workers))
    assert said == [""] * WORKERS
    assert killed > 0
    assert report["failed"] == 0

    model = {name: live.first_items(name, config["rows"]) for name in idle}
    for number in range(WORKERS):
        result = json.loads((tmp_path / f"model {number}").read_text())
        assert result["operations"] > 10
        model |= result["model"]
    store = database.store(codec=live.NEW_FORM, keys=Keyring(new))
    for name, items in model.items():
        assert await store.session(name).get_items() == items
    rows = await database.execute("SELECT message_data FROM agent_messages")
    assert {(describe(row[0]).spec, describe(row[0]).key_id) for row in rows} == {
        ("json+aesgcm", new.id)
    }
    opened = await verify(database.store(codec=live.NEW_FORM, keys=Keyring(old)))
    assert (opened.rows, opened.failed) == (len(rows), len(rows))
    assert {failure.error for failure in opened.failures} == {"UnknownKeyError"}
    assert await deadlocks_of(database) == deadlocks


async def kill_some(path):
    """Start the recode again and again, and kill it; returns how often it was still at work."""
    killed = 0
    for _ in range(KILLS):
        process = start(path, "recode")
        assert await asyncio.to_thread(process.stdout.readline) == "begins\n"
        await asyncio.sleep(random.random() * 1.5)
        killed += process.poll() is None
        process.kill()
        await asyncio.to_thread(process.wait)
        process.stdout.close()
    return killed


def start(path, *arguments):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(path), *arguments], stdout=subprocess.PIPE, text=True
    )


async def finish(process):
    out, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0
    return out.removeprefix("begins\n")


async def deadlocks_of(database):
    """Return how many deadlocks the server has counted; SQLite has none."""
    if database.dialect == "sqlite":
        return 0
    if database.dialect == "postgresql":
        await asyncio.sleep(1.1)  # its statistics are that old
        ((count,),) = await database.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
    else:
        ((_, count),) = await database.execute("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
    return int(count)
