"""A connection that is lost after the commit and before the answer: nothing happens twice."""

import asyncio
import itertools
import sys
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

sys.path.insert(0, str(Path(__file__).parent))

from cutting import cutting_proxy

from histories import n
from strongroom import FileWitness, Key, Keyring, Ledger

KEYS = Keyring(Key(bytes(range(32))))
on_servers = pytest.mark.databases("postgresql", "mysql-aiomysql", column_types=("text",))

# name: the operation, which request of PostgreSQL's it is, and what is there afterwards
OPERATIONS = {
    "append": (lambda s: s.add_items(n(4, 5)), 1, n(1, 2, 3, 4, 5)),
    "replace": (lambda s: s.replace_items(n(9)), 1, n(9)),
    "pop": (lambda s: s.pop_item(), 2, n(1, 2)),
    "clear": (lambda s: s.clear_session(), 1, []),
}


def the_commit(database, number):
    """Tell the request that commits: PostgreSQL's statement, MySQL's COMMIT."""
    if database.dialect == "mysql":
        return lambda data: data.endswith(b"COMMIT")
    requests = itertools.count(1)
    return lambda data: next(requests) == number


async def warm(session):
    """Have every statement prepared, so that each is one request."""
    await session.add_items(n(1, 2, 3, 4))
    await session.pop_item()
    await session.replace_items(n(1, 2, 3))
    await session.clear_session()
    await session.add_items(n(1, 2, 3))


@on_servers
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("late", [0.0, 0.3], ids=["answer lost", "request late"])
async def test_nothing_happens_twice(database, name, late, tmp_path):
    operation, number, expected = OPERATIONS[name]
    ledger = Ledger(KEYS, FileWitness(tmp_path / "witness", create=True))
    await database.session(ledger=ledger).clear_session()  # makes the tables
    async with cutting_proxy(database.url) as scissors:
        engine = create_async_engine(scissors.url, pool_size=1, max_overflow=0)
        try:
            session = database.session(engine=engine, ledger=ledger)
            await warm(session)
            scissors.arm(the_commit(database, number), late)
            result = await operation(session)
            assert scissors.cuts == 1
            await asyncio.sleep(late * 2)  # until what was late has come
            assert await session.get_items() == expected
            assert result == (n(3)[0] if name == "pop" else None)
            await session.add_items(n(7))
            assert await session.get_items() == [*expected, *n(7)]
        finally:
            await engine.dispose()
    assert await database.session(ledger=ledger).get_items() == [*expected, *n(7)]


@on_servers
async def test_an_append_is_found_although_others_have_appended_since(database, monkeypatch):
    from strongroom.history.head import HeadStore

    ledger = Ledger(KEYS)
    other = database.session(ledger=ledger)
    await other.clear_session()
    outcome = HeadStore._outcome

    async def overtaken(self, *args, **kwargs):
        monkeypatch.setattr(HeadStore, "_outcome", outcome)
        await other.add_items(n(6, 7))
        return await outcome(self, *args, **kwargs)

    async with cutting_proxy(database.url) as scissors:
        engine = create_async_engine(scissors.url, pool_size=1, max_overflow=0)
        try:
            session = database.session(engine=engine, ledger=ledger)
            await warm(session)
            monkeypatch.setattr(HeadStore, "_outcome", overtaken)
            scissors.arm(the_commit(database, 1))
            await session.add_items(n(4, 5))
            assert await session.get_items() == n(1, 2, 3, 4, 5, 6, 7)
        finally:
            await engine.dispose()


@on_servers
async def test_what_cannot_be_told_any_more_raises_the_loss(database, monkeypatch):
    from strongroom.history.head import HeadStore

    ledger = Ledger(KEYS)
    other = database.session(ledger=ledger)
    await other.clear_session()
    outcome = HeadStore._outcome

    async def undone(self, *args, **kwargs):
        await other.clear_session()
        await other.add_items(n(6))
        return await outcome(self, *args, **kwargs)

    async with cutting_proxy(database.url) as scissors:
        engine = create_async_engine(scissors.url, pool_size=1, max_overflow=0)
        try:
            session = database.session(engine=engine, ledger=ledger)
            await warm(session)
            monkeypatch.setattr(HeadStore, "_outcome", undone)
            scissors.arm(the_commit(database, 1))
            with pytest.raises(DBAPIError):
                await session.add_items(n(4, 5))
            assert await session.get_items() == n(6)
        finally:
            await engine.dispose()
