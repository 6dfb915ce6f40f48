"""An item that cannot be stored, and a write that fails, show nothing of the items in hand."""

import json
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, OperationalError

from secrets_in_rows import (
    KEYS,
    NUMBER,
    TEXT,
    Hooked,
    assert_shows_nothing,
    codec,
    secret_items,
)
from strongroom import Codec, EncodeError, HistoryTamperedError, Ledger, SQLAlchemySession
from strongroom.sql import retry

COLUMNS = pytest.mark.parametrize("column", ["text", "binary"])
ON_SQLITE = pytest.mark.databases("sqlite-file", column_types=("text",))
ON_ALL = pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql")
KINDS = {
    "plain": {},
    "hooks": {"kind": Hooked},
    "a ledger": {"ledger": Ledger(KEYS)},
}
kinds = pytest.mark.parametrize("kind", KINDS)

UNSTORABLE = {
    "an object": object(),
    "a set": {TEXT, NUMBER},
    "a key that is no text": {(TEXT, NUMBER): 1},
    "a content key": {TEXT: {1}},
    "too large": "x" * 2_000_000,
}
WRITES = {
    "add": lambda session, items: session.add_items(items),
    "replace": lambda session, items: session.replace_items(items),
    "replace for a compaction": lambda session, items: session._atomic_replace_items(items),
}


async def compacted(session, items):
    snapshot = await session._get_compaction_snapshot(10)
    await snapshot.replace_suffix(1, items)


@ON_SQLITE
@COLUMNS
@kinds
@pytest.mark.parametrize("spec", ["msgpack+aesgcm", "json+zlib+aesgcm"])
@pytest.mark.parametrize("value", UNSTORABLE.values(), ids=UNSTORABLE)
async def test_an_item_that_cannot_be_stored_shows_nothing(database, column, value, spec, kind):
    database.column_type = column
    session = database.session(codec=codec(spec), **KINDS[kind])
    await session.add_items(secret_items(0, 1))
    bad = {"content": [TEXT, {"id": value}], "number": NUMBER}
    for write in [*WRITES.values(), compacted]:
        with pytest.raises(EncodeError) as caught:
            await write(session, [*secret_items(2, 3), bad, *secret_items(4)])
        assert_shows_nothing(caught.value)
    assert await session.get_items() == secret_items(0, 1)


@ON_SQLITE
@kinds
async def test_nor_does_one_that_is_encoded_in_a_thread(database, kind):
    session = database.session(codec=codec(), **KINDS[kind])
    large = [item | {"filling": "x" * 300_000} for item in secret_items(0, 1)]
    for write in WRITES.values():
        with pytest.raises(EncodeError) as caught:
            await write(session, [*large, {"content": TEXT, "id": object()}])
        assert_shows_nothing(caught.value)


@pytest.mark.parametrize("spec", ["msgpack+aesgcm", "json+zlib+aesgcm"])
@pytest.mark.parametrize("through", ["codec", "bound", "text", "many"])
def test_nor_does_the_codec_itself(spec, through):
    bad = {"content": [TEXT, {"id": object()}], "number": NUMBER}
    bound = codec(spec).bind("s")
    with pytest.raises(EncodeError) as caught:
        match through:
            case "codec":
                codec(spec).encode(bad, context="s")
            case "bound":
                bound.encode(bad)
            case "text":
                bound.encode_text(bad)
            case "many":
                bound.encode_many([*secret_items(0), bad])
    assert_shows_nothing(caught.value)


@ON_SQLITE
@COLUMNS
async def test_a_stage_that_raises_shows_nothing(database, column):
    class Failing:
        name = "failing"

        def dumps(self, item, /):
            try:
                return json.dumps([item, b""]).encode()
            except TypeError as error:
                raise EncodeError("This stage refuses it.") from error

        def loads(self, data, /):
            return json.loads(data)

    database.column_type = column
    stages = Codec.parse("json+aesgcm", keys=KEYS)
    session = database.session(codec=Codec(Failing(), cipher=stages.cipher))
    for write in WRITES.values():
        with pytest.raises(EncodeError) as caught:
            await write(session, secret_items(0, 1))
        assert_shows_nothing(caught.value)


class Wrapping(SQLAlchemySession):
    """Has a hook that wraps what strongroom raises into an error of its own."""

    async def _serialize_item(self, item):
        try:
            return await super()._serialize_item(item)
        except EncodeError as error:
            raise RuntimeError("refused") from error


@ON_SQLITE
@COLUMNS
async def test_a_hook_that_wraps_the_error_shows_nothing_of_ours(database, column):
    database.column_type = column
    session = database.session(codec=codec(), kind=Wrapping)
    for write in WRITES.values():
        with pytest.raises(RuntimeError) as caught:
            await write(session, [*secret_items(0, 1), {"content": TEXT, "id": object()}])
        assert_shows_nothing(caught.value)


@ON_SQLITE
@kinds
async def test_a_batch_that_ends_in_an_error_of_the_caller_shows_nothing(database, kind):
    def batch():
        yield from secret_items(0, 1)
        raise LookupError("mine")

    session = database.session(codec=codec(), **KINDS[kind])
    for write in WRITES.values():
        with pytest.raises(LookupError) as caught:
            await write(session, batch())
        assert_shows_nothing(caught.value)


@ON_ALL
@kinds
async def test_a_write_that_the_database_refuses_shows_nothing(database, kind):
    session = database.session(codec=codec(), **KINDS[kind])
    await session.add_items(secret_items(0, 1))
    await database.execute("ALTER TABLE agent_messages RENAME TO elsewhere")
    for write in [*WRITES.values(), lambda session, _: session.pop_item()]:
        with pytest.raises(DBAPIError) as caught:
            await write(session, secret_items(2, 3))
        assert_shows_nothing(caught.value)


class CommitError(Exception):
    """Stands for a commit that fails."""


@ON_ALL
@kinds
async def test_a_pop_whose_commit_fails_shows_nothing(database, kind):
    session = database.session(codec=codec(), **KINDS[kind])
    await session.add_items(secret_items(0, 1))

    def fail(conn):
        raise CommitError

    event.listen(database.shared.sync_engine, "commit", fail)
    with pytest.raises(CommitError) as caught:
        await session.pop_item()
    event.remove(database.shared.sync_engine, "commit", fail)
    assert_shows_nothing(caught.value)


@ON_SQLITE
@kinds
async def test_a_pop_of_a_database_that_is_locked_shows_nothing(database, kind, monkeypatch):
    monkeypatch.setattr(retry, "RETRY_SECONDS", 0)
    engine = database.engine(connect_args={"timeout": 0})
    session = database.session(codec=codec(), engine=engine, **KINDS[kind])
    await session.add_items(secret_items(0, 1))
    async with database.engine().connect() as conn:
        await conn.exec_driver_sql("BEGIN IMMEDIATE")
        for write in [lambda: session.pop_item(), lambda: session.add_items(secret_items(2))]:
            with pytest.raises(Exception, match=r"locked|busy") as caught:
                await write()
            assert_shows_nothing(caught.value)


@ON_SQLITE
@pytest.mark.parametrize("kind", ["a ledger"])
async def test_a_pop_that_is_outrun_and_then_refused_shows_nothing(database, kind):
    session = database.session(codec=codec(), **KINDS[kind])
    await session.add_items(secret_items(0, 1))
    swap, outrun = session._history._heads.swap, []

    async def late(change):
        if not outrun:
            outrun.append(change)
            await database.execute("DELETE FROM agent_sessions_heads")
            session._history._heads._cache.forget(session._history._heads._cache_key)
            return False
        return await swap(change)

    session._history._heads.swap = late
    with pytest.raises(HistoryTamperedError) as caught:
        await session.pop_item()
    assert outrun
    assert_shows_nothing(caught.value)


@ON_SQLITE
@COLUMNS
@kinds
@pytest.mark.parametrize("fault", ["prune", "database"])
async def test_a_compaction_that_fails_shows_nothing(database, column, kind, fault):
    database.column_type = column
    session = database.session(codec=codec(), **KINDS[kind])
    await session.add_items(secret_items(0, 1, 2, 3))
    asked = []

    def prune(item):
        asked.append(item)
        if fault == "prune" and len(asked) == 2:
            raise LookupError("mine")
        if fault == "database" and len(asked) == 1:
            with closing(sqlite3.connect(database.url.database)) as conn:
                conn.execute("ALTER TABLE agent_messages RENAME TO elsewhere")
        return True

    snapshot = await session._get_compaction_snapshot(1, prune_prefix=prune)
    assert snapshot.items == secret_items(3)
    with pytest.raises(LookupError if fault == "prune" else OperationalError) as caught:
        await snapshot.replace_suffix(0, secret_items(9))
    assert asked
    assert_shows_nothing(caught.value)
