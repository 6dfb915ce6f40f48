"""Writers in several processes on one database."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from histories import BATCHES, SIZE, check_batches, n

WRITER = str(Path(__file__).with_name("writer.py"))

pytestmark = [
    pytest.mark.databases(
        "sqlite-file", "postgresql", "mysql-aiomysql", "mysql-asyncmy", column_types=("text",)
    ),
    pytest.mark.no_tables,
    pytest.mark.slow,
]


async def run_writers(database, processes):
    """Run each list of (session, writer) in a process of its own, all of them at once."""
    started = []
    for writers in processes:
        task = {"url": database.url.render_as_string(hide_password=False), "writers": writers}
        task |= {"column_type": database.column_type, "batches": BATCHES, "size": SIZE}
        started.append(
            await asyncio.create_subprocess_exec(
                sys.executable,
                WRITER,
                json.dumps(task),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        )
    for process in started:
        assert await process.stdout.readline() == b"ready\n"
    ends = await asyncio.gather(*(process.communicate(b"go\n") for process in started))
    assert [process.returncode for process in started] == [0] * len(started), ends


async def test_fifty_writers_in_four_processes_lose_and_double_nothing(database):
    # Every second writer is the first one of its session, or one of the first at the same time.
    writers = [(f"new-{k % 9}" if k % 2 else "shared", f"w{k}") for k in range(50)]
    await database.session("shared").add_items(n(0))
    await run_writers(database, [writers[k::4] for k in range(4)])
    for session_id in {session_id for session_id, _ in writers}:
        items = await database.session(session_id).get_items()
        if session_id == "shared":
            assert items.pop(0) == {"n": 0}
        check_batches(items, [name for s, name in writers if s == session_id])


async def test_four_processes_make_the_tables_and_write_first_at_once(database):
    writers = [("s", f"w{k}") for k in range(8)]
    await run_writers(database, [writers[k::4] for k in range(4)])
    check_batches(await database.session().get_items(), [name for _, name in writers])
