"""A process of the stress tests: it appends, and perhaps pops, replaces, clears and polls."""

import asyncio
import random
import time

from sqlalchemy import event

from strongroom import SessionStore
from workers import serve

stores = {}


def batch_of(by, number, size):
    return [{"by": by, "batch": number, "n": n} for n in range(size)]


async def append(store, task):
    """Append batches to sessions in turn."""
    for number in range(task["batches"]):
        name = task["sessions"][number % len(task["sessions"])]
        await store.session(name).add_items(batch_of(task["by"], number, task["size"]))


async def poll(store, name, done):
    """Read until the writers of this process are done; what was seen only grows at the end."""
    seen, turn, ended = [], 0, False
    while not ended:
        ended, turn = done.is_set(), turn + 1
        if turn % 3:
            items = await store.session(name).get_items()
            assert items[: len(seen)] == seen, "what was seen has changed"
            seen = items
        else:
            latest = await store.session(name).get_items(10)
            known = {str(item) for item in seen}
            fresh = [item for item in latest if str(item) not in known]
            assert latest[len(latest) - len(fresh) :] == fresh, "an item came before one seen"
    return len(seen)


async def write_and_poll(store, task):
    """Write, while two readers look on."""
    done = asyncio.Event()
    readers = [asyncio.create_task(poll(store, name, done)) for name in task["sessions"][:2]]
    try:
        await append(store, task)
    finally:
        done.set()
    return await asyncio.gather(*readers)


async def mix(store, task):
    """Do all kinds of operations, and return what each was and came to, and when."""
    chance = random.Random(task["by"])
    session, log = store.session(task["session"]), []
    for number in range(task["batches"]):
        kind = chance.choices(task["kinds"], task["weights"])[0]
        result, began = None, time.monotonic()
        if kind == "add":
            await session.add_items(batch_of(task["by"], number, task["size"]))
        elif kind == "replace":
            await session.replace_items(batch_of(task["by"], number, task["size"]))
        elif kind == "clear":
            await session.clear_session()
        elif kind == "pop":
            result = await session.pop_item()
        else:
            result = await session.get_items()
        log.append([kind, number, result, began, time.monotonic()])
    return log


async def write_slowly(store, task):
    """Append with many tasks at once, each commit taking its time with the lock held."""

    async def write(by):
        for number in range(task["batches"]):
            await store.session("s").add_items(batch_of(by, number, task["size"]))

    await asyncio.gather(*map(write, task["writers"]))


JOBS = {"write slowly": write_slowly, "write and poll": write_and_poll, "mix": mix}


def prepare(engine, commit_seconds):
    """Let commits take long; otherwise spare the disk, which is not what these tests are about."""
    if commit_seconds:
        event.listen(engine, "commit", lambda conn: time.sleep(commit_seconds))
    elif engine.dialect.name == "sqlite":
        event.listen(
            engine, "connect", lambda conn, record: conn.execute("PRAGMA synchronous = OFF")
        )


async def work(task):
    """Do one job on the store of a URL."""
    options = {"codec": "orjson", "create_tables": True, "column_type": task["column_type"]}
    if task["url"] not in stores:
        store = stores[task["url"]] = SessionStore.from_url(task["url"], **options)
        prepare(store.engine.sync_engine, task.get("commit_seconds"))
    return await JOBS[task["job"]](stores[task["url"]], task)


serve(work)
