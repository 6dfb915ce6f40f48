"""Listing, deleting and counting the sessions of a store, on every database."""

import asyncio
import datetime as dt

import pytest
from sqlalchemy import event

from strongroom import Codec, FernetCipher, JsonSerializer, Key, Keyring, Ledger
from strongroom.store.store import core_of
from strongroom.store.walk import walk_prefixes

pytestmark = pytest.mark.text_on_servers

LONG_AGO = dt.datetime(2001, 2, 3, 4, 5, 6, 789000, tzinfo=dt.UTC)
SOON = dt.timedelta(hours=1)
ODD_IDS = ["a", "A", "B", "ab", "a_", "a%", "a b", "a ", "á", "z", "é", "\U0001f600", "\ufffd", "퟿"]


def said(*texts):
    return [{"role": "user", "content": str(text)} for text in texts]


async def fill(store, *session_ids, items=1):
    for session_id in session_ids:
        await store.session(session_id).add_items(said(*range(items)))


async def age(database, session_id, time="2001-02-03 04:05:06.789"):
    await database.execute(
        f"UPDATE agent_sessions SET updated_at = '{time}', created_at = '{time}' "
        "WHERE session_id = :session_id",
        session_id=session_id,
    )


def ids(infos):
    return [info.session_id for info in infos]


# list_sessions ----------------------------------------------------------------------------------


async def test_sessions_are_listed_with_their_rows_counted(database):
    store = database.store()
    await fill(store, "one")
    await fill(store, "three", items=3)
    await fill(store, "none")
    await store.session("none").pop_item()
    assert [(info.session_id, info.items) for info in await store.list_sessions()] == [
        ("none", 0),
        ("one", 1),
        ("three", 3),
    ]


async def test_an_empty_store_lists_nothing(database):
    assert await database.store().list_sessions() == []


async def test_sessions_are_in_the_order_of_their_bytes(database):
    store = database.store()
    await fill(store, *ODD_IDS)
    assert ids(await store.list_sessions()) == sorted(ODD_IDS, key=str.encode)


async def test_pages_follow_one_another(database):
    store = database.store()
    await fill(store, *ODD_IDS)
    seen, after = [], None
    while page := await store.list_sessions(after=after, limit=4):
        assert len(page) <= 4
        seen += ids(page)
        after = page[-1].session_id
    assert seen == sorted(ODD_IDS, key=str.encode)
    assert await store.list_sessions(limit=0) == []
    with pytest.raises(ValueError, match="-1"):
        await store.list_sessions(limit=-1)


@pytest.mark.parametrize("prefix", ["a", "A", "a_", "a%", "a ", "\U0001f600", "x", "퟿", ""])
async def test_a_prefix_is_compared_byte_for_byte(database, prefix):
    store = database.store()
    await fill(store, *ODD_IDS)
    expected = sorted((name for name in ODD_IDS if name.startswith(prefix)), key=str.encode)
    assert ids(await store.list_sessions(prefix)) == expected
    assert (
        ids(await store.list_sessions(prefix, after=expected[0] if expected else None))
        == (expected[1:])
    )


async def test_a_prefix_of_the_last_character_has_no_end(database):
    store = database.store()
    await fill(store, "\U0010ffff", "\U0010ffffx", "z")
    assert ids(await store.list_sessions("\U0010ffff")) == ["\U0010ffff", "\U0010ffffx"]


@pytest.mark.databases("postgresql", column_types=("text",))
async def test_a_collation_of_a_language_would_change_nothing(database):
    """Seen in the statements: the PostgreSQL of the tests has no such collation.

    Lists and prefixes go by bytes, a walk by the order that the index has.
    """
    store = database.store()
    await fill(store, "a")
    statements = []
    event.listen(
        database.shared.sync_engine,
        "before_cursor_execute",
        lambda conn, cursor, statement, *rest: statements.append(statement),
    )
    await store.list_sessions("a", after="A")
    listed, *others = statements  # the others look for sessions without a row
    assert listed.count('session_id COLLATE "C"') == 5  # three bounds and two orders
    assert all("COLLATE" in statement for statement in others)
    statements.clear()
    assert [head async for heads in walk_prefixes(core_of(store), prefix="a") for head in heads]
    (_, behind) = statements
    assert behind.count('session_id COLLATE "C"') == 2
    assert 'COLLATE "C"' not in behind.partition("ORDER BY")[2]
    statements.clear()
    assert [head async for heads in walk_prefixes(core_of(store)) for head in heads]
    assert not any("COLLATE" in statement for statement in statements)


@pytest.mark.parametrize("prefix", ["\0", "a\ud800"])
@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_a_prefix_that_no_session_id_has_is_a_value_error(database, prefix):
    with pytest.raises(ValueError, match="prefix"):
        await database.store().list_sessions(prefix)


async def test_times_are_aware_and_in_utc(database):
    store = database.store()
    before = dt.datetime.now(dt.UTC) - SOON
    await fill(store, "s")
    (info,) = await store.list_sessions()
    assert info.created_at.utcoffset() == info.updated_at.utcoffset() == dt.timedelta(0)
    assert before < info.created_at <= info.updated_at < before + 2 * SOON


@pytest.mark.databases("postgresql", "mysql-aiomysql", "mysql-asyncmy")
async def test_times_are_in_utc_whatever_the_zone_of_the_connection(database):
    zones = {"postgresql": "SET TIME ZONE '+05:30'", "mysql": "SET time_zone = '+05:30'"}
    engine = database.engine()

    @event.listens_for(engine.sync_engine, "connect")
    def shift(connection, record):
        cursor = connection.cursor()
        cursor.execute(zones[database.dialect])
        cursor.close()
        connection.commit()

    store = database.store(engine=engine)
    now = dt.datetime.now(dt.UTC)
    await fill(store, "s")
    (info,) = await store.list_sessions()
    assert abs(info.updated_at - now) < dt.timedelta(minutes=10)
    assert await store.list_sessions(updated_before=now - dt.timedelta(minutes=10)) == []
    assert len(await store.list_sessions(updated_after=now - dt.timedelta(minutes=10))) == 1
    await store.import_items(
        [f'{{"session_id":"t","created_at":"{LONG_AGO.isoformat()}","item":1}}']
    )
    assert (await store.list_sessions("t"))[0].created_at == LONG_AGO
    (line,) = [line async for line in store.export_items("t")]
    assert LONG_AGO.isoformat() in line


async def test_sessions_are_filtered_by_their_last_update(database):
    store = database.store()
    await fill(store, "old", "new")
    await age(database, "old")
    tick = dt.timedelta(milliseconds=1)
    assert ids(await store.list_sessions(updated_before=LONG_AGO)) == []
    assert ids(await store.list_sessions(updated_before=LONG_AGO + tick)) == ["old"]
    assert ids(await store.list_sessions(updated_after=LONG_AGO)) == ["new"]
    assert ids(await store.list_sessions(updated_after=LONG_AGO - tick)) == ["new", "old"]
    (old,) = await store.list_sessions(updated_before=LONG_AGO + tick)
    assert old.updated_at == LONG_AGO


async def test_whole_seconds_compare_as_such(database):
    store = database.store()
    await fill(store, "old")
    await age(database, "old", "2001-02-03 04:05:06")
    then = LONG_AGO.replace(microsecond=0)
    assert await store.list_sessions(updated_before=then) == []
    assert await store.list_sessions(updated_after=then) == []
    elsewhere = then.astimezone(dt.timezone(dt.timedelta(hours=-7)))
    assert await store.list_sessions(updated_before=elsewhere) == []


@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_a_naive_time_is_a_value_error(database):
    store = database.store()
    naive = dt.datetime(2020, 1, 1)
    with pytest.raises(ValueError, match="updated_before is a datetime with a time zone"):
        await store.list_sessions(updated_before=naive)
    with pytest.raises(ValueError, match="time zone"):
        await store.delete_sessions(updated_before=naive)


@pytest.mark.databases("sqlite-file", column_types=("text",))
@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:00-14:00"])
async def test_a_time_that_utc_does_not_have_is_a_value_error(database, time):
    store = database.store()
    with pytest.raises(ValueError, match="updated_after is outside the years 1 to 9999"):
        await store.list_sessions(updated_after=dt.datetime.fromisoformat(time))
    with pytest.raises(ValueError, match="updated_before is outside"):
        await store.delete_sessions(updated_before=dt.datetime.fromisoformat(time))


# delete_session and delete_sessions -------------------------------------------------------------


async def test_a_session_is_deleted_with_its_rows_readable_or_not(database):
    store = database.store()
    await fill(store, "s", "t")
    await database.put("not JSON")
    assert await store.delete_session("s") is True
    assert await store.delete_session("s") is False
    assert ids(await store.list_sessions()) == ["t"]
    assert await database.execute("SELECT count(*) FROM agent_messages") == [(1,)]


async def test_deleting_checks_the_session_id(database):
    with pytest.raises(ValueError, match="session id"):
        await database.store().delete_session("")


async def test_old_sessions_are_deleted_in_batches(database):
    store = database.store()
    old = [f"old {number}" for number in range(7)]
    await fill(store, *old, "new", "other", items=2)
    for name in [*old, "other"]:
        await age(database, name)
    limit = LONG_AGO + SOON
    assert await store.delete_sessions(updated_before=limit, prefix="old", batch_size=3) == 7
    assert ids(await store.list_sessions()) == ["new", "other"]
    assert await store.delete_sessions(updated_before=limit) == 1
    assert await store.delete_sessions(updated_before=limit) == 0
    assert ids(await store.list_sessions()) == ["new"]
    assert await database.execute("SELECT count(*) FROM agent_messages") == [(2,)]


async def test_the_session_named_like_the_prefix_is_deleted_too(database):
    store = database.store()
    await fill(store, "old", "older", "ol")
    for name in ("old", "older", "ol"):
        await age(database, name)
    assert await store.delete_sessions(updated_before=LONG_AGO + SOON, prefix="old") == 2
    assert ids(await store.list_sessions()) == ["ol"]


async def test_a_session_that_is_written_to_meanwhile_is_kept(database):
    """It is touched between the page that lists it and the batch that would delete it."""
    store = database.store()
    await fill(store, "a", "b")
    await age(database, "a")
    await age(database, "b")
    runner, listed = core_of(store).runner, []
    write = runner.write

    async def touch_first(operation, *args):
        if not listed:
            listed.append(True)
            await database.session("b").add_items(said("late"))
        return await write(operation, *args)

    runner.write = touch_first
    assert await store.delete_sessions(updated_before=LONG_AGO + SOON) == 1
    assert listed
    assert await store.session("b").get_items() == said(0, "late")
    assert ids(await store.list_sessions()) == ["b"]


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
async def test_deleting_and_appending_at_once_lose_nothing(database):
    """A session either keeps all that was appended, or the append came after its removal."""
    store = database.store()
    names = [f"s{number}" for number in range(10)]
    for _ in range(5):
        await fill(store, *names)
        for name in names:
            await age(database, name)
        await asyncio.gather(
            store.delete_sessions(updated_before=LONG_AGO + SOON, batch_size=4),
            *(store.session(name).add_items(said("new")) for name in names),
        )
        for name in names:
            assert await store.session(name).get_items() in (said(0, "new"), said("new"))
            await store.delete_session(name)


# stats ------------------------------------------------------------------------------------------


async def test_stats_count_rows_by_codec_and_key_without_a_key(database):
    keys = [Key.generate(), Key.generate()]
    for spec, key in (
        ("json", None),
        ("msgpack+zlib", None),
        ("orjson+fernet", 0),
        ("json+aesgcm", 1),
    ):
        options = {} if key is None else {"keys": Keyring(keys[key])}
        session = database.session(spec, codec=spec, **options)
        await session.add_items([*said("é" * 1000), *said(2)])
    store = database.store()
    await store.session("empty").add_items(said(1))
    await store.session("empty").pop_item()
    for value in (
        "gAAAAABnot a whole token",
        '{"__enc__":1,"v":1,"kid":"hkdf-v1","payload":"' + "x" * 999 + '"}',
        "nothing that we know",
        "{not JSON either",
    ):
        await database.put(value, "json")
    await database.put(
        database.column("waUB" if database.column_type == "text" else b"\xc1\xa5"), "json"
    )
    stats = await store.stats()
    assert stats.sessions == 5
    assert stats.rows == 13
    assert stats.formats == {
        "json": 3,
        "msgpack+zlib": 2,
        "json+fernet": 2,
        "json+aesgcm": 2,
        "fernet-token": 1,
        "encrypted-session": 1,
        "unknown": 1,
        "damaged": 1,
    }
    assert stats.key_ids == {keys[0].id: 2, keys[1].id: 2}
    size = "length(CAST(message_data AS BLOB))"
    if database.dialect != "sqlite":
        size = "octet_length(message_data)"
    ((total,),) = await database.execute(f"SELECT sum({size}) FROM agent_messages")
    assert stats.bytes == total


async def test_stats_tell_a_third_partys_cipher(database):
    cipher = _Wrapped(FernetCipher(Keyring(Key.generate())))
    codec = Codec(JsonSerializer(), cipher=cipher)
    await database.session(codec=codec).add_items(said("x" * 1000))
    stats = await database.store().stats()
    assert stats.formats == {f"json+{_Wrapped.name}": 1}


class _Wrapped:
    name = "a-cipher-with-quite-a-long-name-indeed-0123456789-0123456789"

    def __init__(self, cipher):
        self._cipher = cipher
        self.key_id = cipher.key_id

    def bind(self, namespace, context, /):
        return self._cipher.bind(namespace, context)


@pytest.mark.parametrize("knows", [True, False], ids=["with the ledger", "without"])
async def test_stats_tell_what_stands_behind_a_ledgers_links(database, knows):
    ledger = Ledger(Keyring(Key.generate()))
    key = Key.generate()
    cipher = _Wrapped(FernetCipher(Keyring(key)))
    for codec in ("json", "msgpack+zlib", Codec(JsonSerializer(), cipher=cipher)):
        session = database.session("s", codec=codec, ledger=ledger)
        await session.add_items([*said("é" * 1000), *said(2)])
    foreign = ["gAAAAABnot a whole token", '{"__enc__":1,"v":1,"payload":"' + "x" * 999 + '"}']
    rows, _ = ledger.bind("t").append(None, list(map(database.column, foreign)), [0, 0])
    await database.session("t").add_items(said(1))
    damaged = rows[0][:70]
    for row in (*rows, damaged):
        await database.put(row, "t")
    stats = await database.store(ledger=ledger if knows else None).stats()
    assert (stats.sessions, stats.rows) == (2, 10)
    assert stats.formats == {
        "json": 3,
        "msgpack+zlib": 2,
        f"json+{_Wrapped.name}": 2,
        "fernet-token": 1,
        "encrypted-session": 1,
        "damaged": 1,
    }
    assert stats.key_ids == {key.id: 2}


async def test_stats_of_an_empty_store(database):
    stats = await database.store().stats()
    assert (stats.sessions, stats.rows, stats.bytes, stats.formats) == (0, 0, 0, {})


# The statements -----------------------------------------------------------------------------------


async def test_a_walk_does_not_sort_the_table(database):
    """A step of a walk reads along an index, so that a large store does not cost its square."""
    store = database.store()
    await fill(store, *(f"s{number:03}" for number in range(40)), items=30)
    if database.dialect == "postgresql":
        await database.execute("ANALYZE")
    plans = []

    def note(conn, cursor, statement, parameters, context, many):
        # The rest of one session is few rows here, and PostgreSQL may well sort those.
        if "message_data" in statement and "BETWEEN" not in statement:
            plans.append((statement, parameters))

    event.listen(database.shared.sync_engine, "before_cursor_execute", note)
    async for _ in walk_prefixes(core_of(store), prefix="s01", batch_rows=50):
        pass
    event.remove(database.shared.sync_engine, "before_cursor_execute", note)
    assert plans
    explain = "EXPLAIN QUERY PLAN" if database.dialect == "sqlite" else "EXPLAIN"
    async with database.shared.connect() as conn:
        for statement, parameters in plans:
            result = await conn.exec_driver_sql(f"{explain} {statement}", parameters)
            plan = "\n".join(map(str, result))
            assert not any(word in plan for word in ("TEMP B-TREE", "Sort", "filesort")), plan
