"""Eight processes on one session and on many: order, isolation, and a serial order of it all."""

from pathlib import Path

import pytest

import tiers
from histories import check_batches
from serial import Operation, explains
from workers import workers

SCRIPT = Path(__file__).with_name("stress_worker.py")
PROCESSES, SIZE = 8, 3
BATCHES = tiers.by_tier(full=50, long=500)

on_all = pytest.mark.databases(
    "sqlite-file", "postgresql", "mysql-aiomysql", "mysql-asyncmy", column_types=("text",)
)


def task_of(database, **more):
    url = database.url.render_as_string(hide_password=False)
    common = {"url": url, "column_type": database.column_type, "batches": BATCHES, "size": SIZE}
    return common | more


@on_all
@pytest.mark.slow
async def test_appends_to_one_session_are_contiguous_and_seen_to_come_at_the_end(database):
    await write_and_poll(database, ["one"])
    check_batches(await database.session("one").get_items(), range(PROCESSES), batches=BATCHES)


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
@pytest.mark.slow
async def test_appends_to_many_sessions_are_contiguous_and_seen_to_come_at_the_end(database):
    many = [f"many-{k}" for k in range(10)]
    await write_and_poll(database, many)
    found = []
    for number, name in enumerate(many):
        items = await database.session(name).get_items()
        mine = range(number, BATCHES, len(many))
        renumbered = [{**item, "batch": mine.index(item["batch"])} for item in items]
        check_batches(renumbered, range(PROCESSES), batches=len(mine))
        found += items
    assert len(found) == PROCESSES * BATCHES * SIZE


async def write_and_poll(database, sessions):
    """Have every process append to these sessions and read them all the while."""
    async with workers(SCRIPT, PROCESSES) as writers:
        task = task_of(database, job="write and poll", sessions=sessions)
        await writers.run({**task, "by": by} for by in range(PROCESSES))


@pytest.mark.databases("sqlite-file", column_types=("text",))
@pytest.mark.slow
async def test_a_hundred_writers_with_slow_commits_all_succeed_on_sqlite(database):
    names = [f"w{k}" for k in range(100)]
    async with workers(SCRIPT, 4) as writers:
        task = task_of(database, job="write slowly", batches=2, commit_seconds=0.02)
        await writers.run({**task, "writers": names[k::4]} for k in range(4))
    check_batches(await database.session("s").get_items(), names, batches=2)


MIXES = {
    "all kinds": {"add": 5, "pop": 6, "read": 5, "replace": 2, "clear": 1},
    "appends and replaces": {"add": 3, "replace": 3, "read": 3},
    "pops": {"add": 2, "pop": 6, "read": 1},
}


@on_all
@pytest.mark.slow
@pytest.mark.parametrize("name", MIXES)
async def test_what_operations_come_to_is_what_a_serial_order_would(database, name):
    mix = MIXES[name]
    task = task_of(database, job="mix", session=name, kinds=list(mix), weights=list(mix.values()))
    async with workers(SCRIPT, PROCESSES) as clients:
        logs = await clients.run({**task, "by": by} for by in range(PROCESSES))
    end = tuple(map(key_of, await database.session(name).get_items()))
    assert explains([list(operations_of(by, log)) for by, log in enumerate(logs)], (), end)
    orphans = await database.execute(
        "SELECT count(*) FROM agent_messages m WHERE NOT EXISTS "
        "(SELECT 1 FROM agent_sessions s WHERE s.session_id = m.session_id)"
    )
    assert orphans == [(0,)]


def key_of(item):
    return (item["by"], item["batch"], item["n"])


def operations_of(by, log):
    for kind, number, result, began, ended in log:
        if kind == "pop":
            result = result and key_of(result)
        elif kind == "read":
            result = tuple(map(key_of, result))
        items = tuple((by, number, n) for n in range(SIZE))
        yield Operation(kind, items, result, began, ended)


# The judge of these tests -------------------------------------------------------------------------


def operation(kind, items, result=None, began=0.0, ended=9.0):
    return Operation(kind, tuple(items), result, began, ended)


@pytest.mark.parametrize(
    ("clients", "end", "expected"),
    [
        ([[operation("add", "ab")], [operation("add", "cd")]], "cdab", True),
        ([[operation("add", "ab")], [operation("add", "cd")]], "acbd", False),
        ([[operation("add", "ab")], [operation("add", "cd")]], "ab", False),
        ([[operation("add", "ab", ended=1)], [operation("add", "c", began=2)]], "cab", False),
        ([[operation("add", "ab"), operation("pop", "", "b")]], "a", True),
        ([[operation("add", "ab"), operation("pop", "", "a")]], "b", False),
        ([[operation("add", "a")], [operation("pop", "", "a")], [operation("pop", "")]], "", True),
        ([[operation("add", "a")], [operation("pop", "", "a")] * 2], "", False),
        ([[operation("add", "a")], [operation("pop", "", None)]], "a", True),
        ([[operation("add", "a"), operation("pop", "", None)]], "a", False),
        ([[operation("add", "a")], [operation("replace", "b")]], "ba", True),
        ([[operation("replace", "a")], [operation("replace", "b")]], "ab", False),
        ([[operation("add", "ab"), operation("clear", "")]], "b", False),
        ([[operation("add", "a"), operation("add", "b")], [operation("read", "", ("a",))]], "ab",
         True),
        ([[operation("add", "ab")], [operation("read", "", ("a",))]], "ab", False),
    ],
)  # fmt: skip
def test_the_judge_knows_what_a_serial_order_can_do(clients, end, expected):
    assert explains(clients, (), tuple(end)) is expected
