"""An error of work on a whole store shows nothing of the items that it works on."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy.exc import DBAPIError

from secrets_in_rows import (
    BAD_ROWS,
    KEYS,
    NUMBER,
    TEXT,
    assert_shows_nothing,
    codec,
    secret_items,
    spoil,
)
from strongroom import (
    ConflictError,
    DecodeError,
    EncodeError,
    HistoryTamperedError,
    Ledger,
    maintenance,
)
from strongroom.maintenance.compare import compare
from strongroom.maintenance.sample import sample_items
from strongroom.store.jsonlines import dump_line
from strongroom.store.row_decoder import RowDecoder

COLUMNS = pytest.mark.parametrize("column", ["text", "binary"])
ON_SQLITE = pytest.mark.databases("sqlite-file", column_types=("text",))
ON_SERVERS = pytest.mark.databases("postgresql", "mysql-aiomysql")
KINDS = {"plain": {}, "a ledger": {"ledger": Ledger(KEYS)}}
kinds = pytest.mark.parametrize("kind", KINDS)
FEW = ("altered", "another key", "not msgpack", "plaintext")
PAIRS = [(bad, kind) for kind in KINDS for bad in (FEW if KINDS[kind] else BAD_ROWS)]
every_row = pytest.mark.parametrize(("bad", "kind"), PAIRS, ids=map(", ".join, PAIRS))
# Its bytes become an object in a line, one level deeper than JSON goes.
DEEP = {"content": TEXT, "number": NUMBER, "data": b"1"}
for _ in range(1023):
    DEEP = [DEEP]


async def exported(store, **options):
    return [line async for line in store.export_items(**options)]


READS = {
    "fork": lambda store: store.fork("s", "t"),
    "fork the first": lambda store: store.fork("s", "t", 4),
    "export": exported,
    "export a session": lambda store: exported(store, session_id="s"),
    "sample": lambda store: sample_items(store, 10),
}


async def check_reads(database, bad, kind):
    make, expected = BAD_ROWS[bad]
    options = {"codec": codec()} | KINDS[kind]
    await spoil(database, make(), **options)
    store = database.store(**options)
    for read in READS.values():
        with pytest.raises(expected) as caught:
            await read(store)
        assert_shows_nothing(caught.value)
    reports = [
        await maintenance.verify(store),
        await maintenance.recode(store),
        await maintenance.recode(database.store(**options | {"codec": codec("json+aesgcm")})),
    ]
    if not options.get("ledger"):
        names = {"sessions_table": "s2", "messages_table": "m2"}
        reports.append(await maintenance.copy(store, database.store(**names, **options)))
    assert reports[0].failed == 1
    for report in reports:
        assert TEXT not in repr(report)
        assert str(NUMBER) not in repr(report)


@ON_SQLITE
@COLUMNS
@every_row
async def test_a_bad_row_shows_nothing_of_its_neighbours(database, column, bad, kind):
    database.column_type = column
    await check_reads(database, bad, kind)


@ON_SERVERS
@kinds
@pytest.mark.parametrize("bad", FEW)
async def test_nor_does_one_on_a_server(database, bad, kind):
    await check_reads(database, bad, kind)


# Imports ----------------------------------------------------------------------------------------


def lines_of(*numbers, session_id="s"):
    return [dump_line(session_id, None, item) for item in secret_items(*numbers)]


LINES = {
    "no line of an export": ('{"item": "' + TEXT, DecodeError),
    "no session": ('{"item": {"content": "' + TEXT + '"}}', DecodeError),
    "a time that is none": (
        '{"session_id": "s", "created_at": "' + TEXT + '", "item": 1}',
        DecodeError,
    ),
    "bytes that are none": (
        '{"session_id": "s", "created_at": null, "item": {"a": "' + TEXT + '", '
        '"b": {"$bytes": 1}}}',
        DecodeError,
    ),
    "a session id that is none": (
        '{"session_id": "", "created_at": null, "item": "' + TEXT + '"}',
        DecodeError,
    ),
    "too large": (
        '{"session_id": "s", "created_at": null, "item": "' + TEXT * 100_000 + '"}',
        EncodeError,
    ),
}


@ON_SQLITE
@COLUMNS
@kinds
@pytest.mark.parametrize("batch_rows", [1, 500])
@pytest.mark.parametrize("bad", LINES)
async def test_a_line_that_cannot_be_imported_shows_nothing(
    database, column, kind, bad, batch_rows
):
    line, expected = LINES[bad]
    database.column_type = column
    store = database.store(codec=codec(), **KINDS[kind])
    with pytest.raises(expected, match="Line 3") as caught:
        await store.import_items([*lines_of(0, 1), line, *lines_of(2)], batch_rows=batch_rows)
    assert_shows_nothing(caught.value)


@ON_SQLITE
@COLUMNS
@kinds
async def test_an_import_into_a_session_with_other_items_shows_nothing(database, column, kind):
    database.column_type = column
    store = database.store(codec=codec(), **KINDS[kind])
    await store.session("s").add_items(secret_items(7, 8))
    with pytest.raises(ConflictError) as caught:
        await store.import_items([*lines_of(0, 1), *lines_of(2)])
    assert_shows_nothing(caught.value)
    assert await store.import_items(lines_of(7, 8, 9)) == 1
    assert await store.session("s").get_items() == secret_items(7, 8, 9)


@ON_SQLITE
@kinds
@pytest.mark.parametrize("batch_rows", [1, 500])
async def test_an_import_that_the_database_refuses_shows_nothing(database, kind, batch_rows):
    store = database.store(codec=codec(), **KINDS[kind])
    await store.session("s").add_items(secret_items(7))
    await database.execute("ALTER TABLE agent_messages RENAME TO elsewhere")
    with pytest.raises(DBAPIError) as caught:
        await store.import_items(lines_of(0, 1), append=True, batch_rows=batch_rows)
    assert_shows_nothing(caught.value)


@ON_SQLITE
@kinds
async def test_an_import_whose_source_fails_shows_nothing(database, kind):
    def source():
        yield from lines_of(0, 1)
        raise LookupError("mine")

    store = database.store(codec=codec(), **KINDS[kind])
    with pytest.raises(LookupError) as caught:
        await store.import_items(source())
    assert_shows_nothing(caught.value)


# Stores that fail on the way --------------------------------------------------------------------


@ON_SQLITE
@kinds
async def test_an_item_that_no_export_can_hold_shows_nothing(database, kind):
    store = database.store(codec=codec(), **KINDS[kind])
    await store.session("s").add_items([*secret_items(0), DEEP, *secret_items(1)])
    with pytest.raises(EncodeError) as caught:
        await exported(store)
    assert_shows_nothing(caught.value)
    target = database.store(sessions_table="s2", messages_table="m2", codec=codec())
    with pytest.raises(EncodeError) as caught:
        await maintenance.copy(store, target)
    assert_shows_nothing(caught.value)


@pytest.fixture
def breaking(database, monkeypatch):
    """Return a function that has a table vanish when rows have been decoded so many times."""
    decode, left = RowDecoder.decode, []

    async def decoded(self, rows):
        outcomes = await decode(self, rows)
        if left:
            left[0][0] -= 1
            if not left[0][0]:
                _, table = left.pop()
                with closing(sqlite3.connect(database.url.database)) as conn:
                    conn.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
        return outcomes

    monkeypatch.setattr(RowDecoder, "decode", decoded)
    return lambda count, table="agent_messages": left.append([count, table])


@ON_SQLITE
@pytest.mark.parametrize("count", [1, 2, 3])
async def test_work_that_the_database_stops_shows_nothing(database, count, breaking):
    store = database.store(codec=codec())
    target = database.store(sessions_table="s2", messages_table="m2", codec=codec("json+aesgcm"))
    newer = database.store(codec=codec("json+aesgcm"))
    for number in range(3):
        await store.session(f"s{number}").add_items(secret_items(*range(4)))
    await target.create_tables()
    works = [
        (maintenance.verify, [store], "agent_messages"),
        (maintenance.copy, [store, target], "agent_messages"),
        (maintenance.copy, [store, target], "m2"),
        (maintenance.recode, [newer], "agent_messages"),
    ]
    for work, stores, table in works:
        breaking(count, table)
        with pytest.raises(DBAPIError) as caught:
            await work(*stores, batch_rows=2)
        assert_shows_nothing(caught.value)
        await database.execute(f"ALTER TABLE elsewhere RENAME TO {table}")


@ON_SQLITE
async def test_a_sample_that_the_database_stops_shows_nothing(database, breaking):
    store = database.store(codec=codec())
    for name in "abc":
        await store.session(name).add_items(secret_items(0, 1))
    breaking(2)
    with pytest.raises(DBAPIError) as caught:
        await sample_items(store, 10)
    assert_shows_nothing(caught.value)


@pytest.mark.parametrize("count", [1, 9])
def test_a_comparison_that_its_caller_stops_shows_nothing(count):
    calls = []

    def stop(progress):
        calls.append(progress)
        if len(calls) == count:
            raise LookupError("mine")

    with pytest.raises(LookupError) as caught:
        compare(secret_items(0, 1), progress=stop)
    assert_shows_nothing(caught.value)


def test_an_item_that_no_codec_can_write_shows_nothing_in_a_comparison():
    report = compare([*secret_items(0), {TEXT: {NUMBER}}])
    assert report.left_out
    assert TEXT not in repr(report)
    assert str(NUMBER) not in repr(report)


@ON_SQLITE
@COLUMNS
async def test_work_on_ledgers_that_are_refused_shows_nothing(database, column):
    database.column_type = column
    options = {"codec": codec(), "ledger": Ledger(KEYS)}
    store = database.store(**options)
    await store.session("s").add_items(secret_items(0, 1, 2))
    await database.execute("DELETE FROM agent_messages WHERE id = 3")
    fresh = database.store(engine=database.engine(), **options)
    later = (await fresh.list_sessions())[0].updated_at.replace(year=2100)
    works = [
        lambda: exported(fresh),
        lambda: fresh.fork("s", "t"),
        lambda: fresh.delete_sessions(updated_before=later),
        lambda: sample_and_fork(fresh),
    ]
    for work in works:
        with pytest.raises(HistoryTamperedError) as caught:
            await work()
        assert_shows_nothing(caught.value)
    assert (await maintenance.verify(fresh)).failed == 1
    assert TEXT not in repr([await fresh.stats(), await maintenance.adopt(fresh)])
    assert TEXT not in repr(await maintenance.reset(fresh, "s"))
    assert await fresh.session("s").get_items() == secret_items(0, 1)


async def sample_and_fork(store):
    assert await sample_items(store, 5)
    await store.fork("s", "t")
