"""A short test of each database and driver, for other Pythons and the oldest dependencies.

``pytest --tier full -m smoke`` runs these. They show that the versions of the drivers work with us,
and nothing that the other tests do not show in full.
"""

import asyncio

import pytest

from histories import n
from strongroom import (
    AuthenticationError,
    Codec,
    FileWitness,
    HistoryTamperedError,
    Key,
    Keyring,
    Ledger,
)
from strongroom.maintenance import recode, verify

pytestmark = [
    pytest.mark.smoke,
    pytest.mark.no_tables,
    pytest.mark.databases(column_types=("text",)),
]

KEYS = Keyring(Key(bytes(range(32))))
OPTIONS = {
    "plain": lambda folder: {},
    "encrypted": lambda folder: {"codec": "msgpack+zlib+aesgcm", "keys": KEYS},
    "with a ledger": lambda folder: {
        "codec": "orjson+aesgcm",
        "keys": KEYS,
        "ledger": Ledger(KEYS, FileWitness(folder / "witness", create=True)),
    },
}


@pytest.fixture(params=OPTIONS)
def options(request, tmp_path):
    return OPTIONS[request.param](tmp_path)


async def test_every_operation_works(database, options):
    session = database.session(**options)
    assert await session.get_items() == []
    await session.add_items(n(1, 2, 3))
    await session.add_items([{"n": 4, "text": "größe 😀\x00"}])
    assert await session.get_items(2) == [{"n": 3}, {"n": 4, "text": "größe 😀\x00"}]
    assert (await session.pop_item())["n"] == 4
    assert [item async for item in session.iter_items(2)] == n(1, 2, 3)
    await session.replace_items(n(5, 6))
    assert await database.session(**options).get_items() == n(5, 6)
    await session.clear_session()
    assert await session.get_items() == []
    assert await session.pop_item() is None


async def test_writers_at_once_lose_nothing(database, options):
    store = database.store(**options)
    await asyncio.gather(*(store.session("s").add_items(n(k, k)) for k in range(8)))
    items = [item["n"] for item in await store.session("s").get_items()]
    assert sorted(items) == [k for k in range(8) for _ in range(2)]
    assert all(first == second for first, second in zip(items[::2], items[1::2], strict=True))


async def test_a_cancelled_append_leaves_the_engine_usable(database, options):
    session = database.session(**options)
    await session.add_items(n(1))
    for turns in range(0, 40, 4):
        task = asyncio.create_task(database.session(**options).add_items(n(2)))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    await session.add_items(n(3))
    numbers = [item["n"] for item in await session.get_items()]
    assert (numbers[0], numbers[-1]) == (1, 3)
    assert set(numbers[1:-1]) <= {2}


async def test_an_altered_row_is_refused(database):
    session = database.session(codec="orjson+aesgcm", keys=KEYS)
    await session.add_items(n(1, 2))
    row_id, value = (await database.rows())[0]
    altered = value[:-1] + ("A" if value[-1] != "A" else "Q")
    await database.execute(
        "UPDATE agent_messages SET message_data = :value WHERE id = :id", value=altered, id=row_id
    )
    with pytest.raises(AuthenticationError):
        await session.get_items()
    assert await session.pop_item() == {"n": 2}


async def test_a_deleted_row_is_missed_by_the_ledger(database):
    session = database.session(codec="orjson", ledger=Ledger(KEYS))
    await session.add_items(n(1, 2, 3))
    row_id = (await database.rows())[1][0]
    await database.execute("DELETE FROM agent_messages WHERE id = :id", id=row_id)
    with pytest.raises(HistoryTamperedError):
        await session.get_items()


async def test_a_store_is_listed_recoded_and_verified(database):
    plain = database.store(codec="orjson")
    for name in ("a", "b"):
        await plain.session(name).add_items(n(1, 2))
    assert [info.session_id for info in await plain.list_sessions()] == ["a", "b"]
    sealed = Codec.parse("orjson+aesgcm", keys=KEYS, accept=("plaintext",))
    assert (await recode(database.store(codec=sealed))).recoded == 4
    assert (await verify(database.store(codec="orjson+aesgcm", keys=KEYS))).ok


async def test_connections_that_the_server_closed_are_replaced(database):
    session = database.session()
    await session.add_items(n(1))
    if database.dialect == "postgresql":
        await database.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    elif database.dialect == "mysql":
        ids = await database.execute(
            "SELECT id FROM information_schema.processlist "
            "WHERE db = database() AND id <> connection_id()"
        )
        for (number,) in ids:
            await database.execute(f"KILL CONNECTION {number}")
    await asyncio.sleep(0.1)
    await session.add_items(n(2))
    assert await session.get_items() == n(1, 2)
