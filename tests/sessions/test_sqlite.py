"""SQLite: locked files, several engines on one, several event loops."""

import asyncio
import sqlite3
import threading

import aiosqlite
import pytest
from sqlalchemy import event

from histories import check_batches, n
from strongroom import SessionStore, SQLAlchemySession

on_sqlite = pytest.mark.databases("sqlite-file", column_types=("text",))


@on_sqlite
@pytest.mark.parametrize("busy_timeout", [0, 5])
async def test_a_write_that_meets_a_locked_database_succeeds(database, tmp_path, busy_timeout):
    engine = database.engine(connect_args={"timeout": busy_timeout})
    session = database.session(engine=engine)
    await session.add_items(n(1, 2))
    holder = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    writes = [
        asyncio.create_task(coroutine)
        for coroutine in (session.add_items(n(3)), session.pop_item(), session.add_items(n(4)))
    ]
    await asyncio.sleep(1)
    assert not any(task.done() for task in writes)
    holder.execute("COMMIT")
    holder.close()
    await asyncio.gather(*writes)
    assert len(await session.get_items()) == 3


@on_sqlite
@pytest.mark.parametrize("busy_timeout", [0, 5])
async def test_a_first_use_that_meets_a_locked_database_succeeds(database, tmp_path, busy_timeout):
    holder = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    holder.execute("CREATE TABLE other (x)")
    holder.execute("BEGIN EXCLUSIVE")
    session = database.session(engine=database.engine(connect_args={"timeout": busy_timeout}))
    write = asyncio.create_task(session.add_items(n(1)))
    await asyncio.sleep(1)
    holder.execute("COMMIT")
    holder.close()
    await write
    assert await session.get_items() == n(1)


@pytest.mark.databases("sqlite-file", "sqlite-memory", column_types=("text",))
@pytest.mark.parametrize("tasks", [5, 40])  # fewer, and more, than the pool has connections
def test_one_session_serves_two_event_loops_at_once(database, tasks):
    session = database.session()
    failures = []

    async def use(name):
        await asyncio.gather(
            *(session.add_items([{"by": f"{name}-{k}", "batch": 0, "n": 0}]) for k in range(tasks))
        )
        await asyncio.gather(*(session.get_items() for _ in range(tasks)))
        await asyncio.gather(*(session.pop_item() for _ in range(tasks - 2)))

    def run(name):
        try:
            asyncio.run(use(name))
        except BaseException as error:
            failures.append(error)

    async def finish():
        items = await session.get_items()
        await database.aclose()
        return items

    threads = [threading.Thread(target=run, args=(name,)) for name in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    items = asyncio.run(finish())
    assert failures == []
    assert len({item["by"] for item in items}) == len(items) == 4


@on_sqlite
async def test_two_engines_on_one_file_take_turns(database):
    sessions = [database.session(engine=database.engine()) for _ in range(4)]
    await asyncio.gather(
        *(
            session.add_items([{"by": k * 10 + j, "batch": 0, "n": i} for i in range(3)])
            for k, session in enumerate(sessions)
            for j in range(10)
        )
    )
    check_batches(await sessions[0].get_items(), range(40), batches=1)


@on_sqlite
async def test_a_url_opened_many_times_at_once_makes_one_store(database):
    async def use(k):
        async with SQLAlchemySession.from_url("s", url=database.url, create_tables=True) as session:
            await session.add_items(n(k))

    await asyncio.gather(*(use(k) for k in range(12)))
    items = await database.session().get_items()
    assert sorted(item["n"] for item in items) == list(range(12))


@pytest.mark.databases("sqlite-file", "sqlite-memory", column_types=("text",))
async def test_what_is_not_committed_is_rolled_back_on_an_engine_of_ours(database):
    async with SessionStore.from_url(database.url, create_tables=True) as store:
        session = store.session("s")
        await session.add_items(n(1))
        async with store.engine.connect() as conn:
            await conn.exec_driver_sql("DELETE FROM agent_messages")
        assert await session.get_items() == n(1)
        with pytest.raises(RuntimeError):
            async with store.engine.begin() as conn:
                await conn.exec_driver_sql("DELETE FROM agent_messages")
                raise RuntimeError
        await session.add_items(n(2))
        assert await session.get_items() == n(1, 2)


@pytest.mark.databases("sqlite-file", "sqlite-memory", column_types=("text",))
async def test_a_read_takes_four_trips_to_the_drivers_thread(database, monkeypatch):
    async with SessionStore.from_url(database.url, create_tables=True) as store:
        session = store.session("s")
        await session.add_items(n(1))
        trips = []
        execute = aiosqlite.Connection._execute
        monkeypatch.setattr(
            aiosqlite.Connection,
            "_execute",
            lambda self, function, *rest: trips.append(function) or execute(self, function, *rest),
        )
        ended = []
        event.listen(store.engine.sync_engine, "rollback", ended.append)
        await session.get_items()
        assert len(trips) == 4
        assert len(ended) == 1  # SQLAlchemy's event is told as ever
