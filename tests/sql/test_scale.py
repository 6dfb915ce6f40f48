"""A long session, of a million rows in the long tier."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

import tiers

SCRIPT = Path(__file__).with_name("memory_worker.py")
ROWS = tiers.by_tier(full=40_000, long=1_000_000)
ROOM = 8  # MB that iterating may take beside what its first batches took

FILL = {
    "sqlite": "WITH RECURSIVE s(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM s WHERE k < {last}) "
    "INSERT INTO agent_messages (session_id, message_data) "
    "SELECT 'long', '{{\"n\": ' || k || ', \"x\": \"' || printf('%.*c', 900, 'x') || '\"}}' FROM s",
    "postgresql": "INSERT INTO agent_messages (session_id, message_data) "
    "SELECT 'long', '{{\"n\": ' || k || ', \"x\": \"' || repeat('x', 900) || '\"}}' "
    "FROM generate_series(0, {last}) k ORDER BY k",
    "mysql": "INSERT INTO agent_messages (session_id, message_data) "
    "SELECT 'long', concat('{{\"n\": ', seq, ', \"x\": \"', repeat('x', 900), '\"}}') "
    "FROM seq_0_to_{last} ORDER BY seq",
}

pytestmark = [
    pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",)),
    pytest.mark.slow,
]


async def test_iterating_over_a_long_session_takes_no_more_memory(database):
    await database.session("long").replace_items([])
    async with database.shared.begin() as conn:
        await conn.exec_driver_sql(FILL[database.dialect].format(last=ROWS - 1))
    marks = await memory_of(database)
    assert marks["iterated"] - marks["begun"] < ROOM, marks
    # Reading it whole does take it, so the measure measures.
    assert marks["all at once"] - marks["begun"] > 3 * ROOM, marks


async def memory_of(database):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SCRIPT),
        database.url.render_as_string(hide_password=False),
        str(ROWS),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(output)
