"""The head is remembered: what a session with a ledger costs in round trips and statements."""

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from histories import n
from proxy import counting_proxy
from strongroom import Key, Keyring, Ledger

KEYS = Keyring(Key(bytes(range(32))))

OPERATIONS = {
    "add of 1": (lambda s: s.add_items(n(1)), 1),
    "add of 100": (lambda s: s.add_items(n(*range(100))), 1),
    "get": (lambda s: s.get_items(), 1),
    "last 20": (lambda s: s.get_items(20), 1),
    "pop": (lambda s: s.pop_item(), 2),
    "replace": (lambda s: s.replace_items(n(1, 2, 3)), 1),
    "replace by nothing": (lambda s: s.replace_items([]), 1),
    "clear": (lambda s: s.clear_session(), 1),
    "write after a clear": (lambda s: s.add_items(n(1)), 1),
}


@pytest.mark.databases("postgresql")
async def test_a_ledger_costs_no_round_trip_on_postgresql(database):
    async with counting_proxy(database.url) as trips:
        engine = create_async_engine(trips.url, pool_size=1, max_overflow=0)
        try:
            store = database.store(engine=engine, ledger=Ledger(KEYS))
            await store.session("s").add_items(n(1))
            for operation, _ in OPERATIONS.values():
                await operation(store.session("s"))
            found = {}
            for name, (operation, _) in OPERATIONS.items():
                trips.restart()
                # A session of its own for each request, as a web application has.
                await operation(store.session("s"))
                found[name] = trips.count
        finally:
            await engine.dispose()
    assert found == {name: count for name, (_, count) in OPERATIONS.items()}


def statements_of(engine):
    statements = []
    event.listen(
        engine.sync_engine, "before_cursor_execute", lambda *args: statements.append(args[2])
    )
    return statements


@pytest.mark.databases("sqlite-file", "postgresql", column_types=("text",))
async def test_a_head_that_was_read_is_remembered_too(database):
    await database.session(ledger=Ledger(KEYS)).add_items(n(1))
    engine = database.engine()
    store = database.store(engine=engine, ledger=Ledger(KEYS))
    await store.session("s").get_items()
    statements = statements_of(engine)
    await store.session("s").add_items(n(2))
    assert not [s for s in statements if s.lstrip().upper().startswith("SELECT HEAD")], statements
    assert not [s for s in statements if "picked" in s], statements


@pytest.mark.databases("sqlite-file", "postgresql", column_types=("text",))
async def test_a_head_that_is_no_longer_the_newest_is_read_again(database):
    engines = [database.engine(), database.engine()]
    mine, theirs = (database.session(ledger=Ledger(KEYS), engine=engine) for engine in engines)
    await mine.add_items(n(1))
    await theirs.add_items(n(2))
    statements = statements_of(engines[0])
    await mine.add_items(n(3))
    assert len([s for s in statements if "picked" in s]) == 1, statements
    assert await theirs.get_items() == n(1, 2, 3)


@pytest.mark.databases("sqlite-memory", column_types=("text",))
async def test_the_memory_of_heads_is_bounded(database, monkeypatch):
    from strongroom.history import head_cache

    monkeypatch.setattr(head_cache, "_MOST_HEADS", 3)
    store = database.store(ledger=Ledger(KEYS))
    for number in range(6):
        await store.session(f"s{number}").add_items(n(number))
    assert len(head_cache.cache_of(store.engine.sync_engine)) == 3
    await store.session("s0").add_items(n(1))
    assert await store.session("s0").get_items() == n(0, 1)
