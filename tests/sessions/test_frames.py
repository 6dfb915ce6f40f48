"""An error about one row shows nothing of its neighbours: reads and pops of sessions."""

import json
import sys

import pytest

from remains import assert_holds_none
from secrets_in_rows import (
    BAD_ROWS,
    KEYS,
    NUMBER,
    TEXT,
    Hooked,
    Raw,
    assert_shows_nothing,
    codec,
    sealed,
    secret_items,
    spoil,
    stored,
)
from strongroom import (
    Codec,
    DecodeError,
    FernetTokenReader,
    HistoryTamperedError,
    Ledger,
    MissingDependencyError,
    PayloadError,
    SQLAlchemySession,
)
from strongroom.codec import registry
from strongroom.codec.compressors import zstd

COLUMNS = pytest.mark.parametrize("column", ["text", "binary"])
ON_SQLITE = pytest.mark.databases("sqlite-file", column_types=("text",))
ON_SERVERS = pytest.mark.databases("postgresql", "mysql-aiomysql")
FEW = ("altered", "another key", "not msgpack", "plaintext")
KINDS = {
    "plain": {},
    "hooks": {"kind": Hooked},
    "a ledger": {"ledger": Ledger(KEYS)},
    "a ledger and hooks": {"ledger": Ledger(KEYS), "kind": Hooked},
}
kinds = pytest.mark.parametrize("kind", KINDS)
# Another way to read does not change what is wrong with a row.
PAIRS = [(bad, kind) for kind in KINDS for bad in (FEW if KINDS[kind] else BAD_ROWS)]
every_row = pytest.mark.parametrize(("bad", "kind"), PAIRS, ids=map(", ".join, PAIRS))


async def drained(session, size):
    return [item async for item in session.iter_items(size)]


async def popped_all(session):
    while await session.pop_item() is not None:
        pass


READS = {
    "get": lambda session: session.get_items(),
    "get the last": lambda session: session.get_items(4),
    "iterate": lambda session: drained(session, 100),
    "iterate in batches": lambda session: drained(session, 2),
    "replace for a compaction": lambda session: session._atomic_replace_items(secret_items(9)),
}


async def errors_of(session, reads=READS):
    for read in reads.values():
        with pytest.raises(DecodeError) as caught:
            await read(session)
        yield caught.value


async def check_reads(database, bad, kind):
    make, expected = BAD_ROWS[bad]
    options = {"codec": codec()} | KINDS[kind]
    await spoil(database, make(), **options)
    before = await database.rows()
    async for error in errors_of(database.session(**options)):
        assert type(error) is expected
        assert (error.session_id, error.row_id) == ("s", before[2][0])
        assert_shows_nothing(error)
    assert await database.rows() == before
    assert await database.session(**options).get_items(2) == secret_items(2, 3)


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


async def check_pop(database, bad, kind):
    make, expected = BAD_ROWS[bad]
    options = {"codec": codec(), "on_error": "raise"} | KINDS[kind]
    await spoil(database, make(), behind=1, **options)
    session = database.session(**options)
    assert await session.pop_item() == secret_items(2)[0]
    with pytest.raises(expected) as caught:
        await session.pop_item()
    assert_shows_nothing(caught.value)
    assert len(await database.rows()) == 3


@ON_SQLITE
@COLUMNS
@every_row
async def test_a_bad_row_that_is_popped_shows_nothing(database, column, bad, kind):
    database.column_type = column
    await check_pop(database, bad, kind)


@ON_SERVERS
@kinds
@pytest.mark.parametrize("bad", FEW)
async def test_nor_does_one_that_is_popped_on_a_server(database, bad, kind):
    await check_pop(database, bad, kind)


@ON_SQLITE
@pytest.mark.parametrize("kind", ["plain", "a ledger"])
async def test_rows_that_are_decoded_in_a_thread_show_nothing(database, kind):
    options = {"codec": Codec.parse("msgpack+aesgcm", keys=KEYS)} | KINDS[kind]
    session = database.session(**options)
    large = [item | {"filling": "x" * 270_000} for item in secret_items(0, 1)]
    await session.add_items(large)
    await database.session(**options | {"kind": Raw}).add_items(
        [stored(database, sealed(b"\xc1" + TEXT.encode()))]
    )
    await session.add_items(large)
    async for error in errors_of(session):
        assert type(error) is PayloadError
        assert_shows_nothing(error)


@ON_SQLITE
@pytest.mark.parametrize("kind", ["plain", "a ledger"])
@pytest.mark.parametrize("size", [0, 60_000, 400_000], ids=["small", "in parts", "in a thread"])
async def test_a_library_that_is_missing_shows_nothing(database, monkeypatch, kind, size):
    options = {"codec": Codec.parse("msgpack+aesgcm", keys=KEYS)} | KINDS[kind]
    good = [item | {"filling": "x" * size} for item in secret_items(0, 1)]
    session = database.session(**options)
    await session.add_items(good)
    compressed = Codec.parse("msgpack+zstd+aesgcm", keys=KEYS)
    await database.session(**options | {"codec": compressed}).add_items(good)
    await session.add_items(good)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.delattr(zstd._contexts, "decompressor", raising=False)
    registry.built_in.cache_clear()
    for name in ("get", "iterate", "replace for a compaction"):
        with pytest.raises((MissingDependencyError, DecodeError)) as caught:
            await READS[name](database.session(**options))
        assert "zstandard" in str(caught.value) + repr(caught.value.__cause__)
        assert_shows_nothing(caught.value)


@ON_SQLITE
@COLUMNS
@pytest.mark.parametrize("fault", [KeyError("mine"), ValueError("mine"), DecodeError("mine")])
async def test_a_hook_that_raises_shows_nothing(database, column, fault):
    class Failing(SQLAlchemySession):
        async def _deserialize_item(self, item):
            found = await super()._deserialize_item(item)
            if found["content"].endswith(" 2"):
                raise fault
            return found

    database.column_type = column
    session = database.session(kind=Failing, codec=codec())
    await session.add_items(secret_items(0, 1, 2, 3))
    async for error in errors_of(session):
        assert_shows_nothing(error)
    last = database.session(kind=Failing, codec=codec())
    assert await last.pop_item() == secret_items(3)[0]
    with pytest.raises(DecodeError) as caught:
        await last.pop_item()
    assert_shows_nothing(caught.value)


def _parsed(text):
    return json.loads(text + "{")


def _parsed_and_wrapped(text):
    try:
        return json.loads(text + "{")
    except ValueError:
        raise LookupError("mine") from None


@ON_SQLITE
@pytest.mark.parametrize(
    "fail", [_parsed, _parsed_and_wrapped, lambda text: (text + "é").encode("ascii")]
)
async def test_a_document_that_an_error_of_a_hook_carries_is_not_shown(database, fail):
    class Failing(SQLAlchemySession):
        async def _deserialize_item(self, item):
            found = await super()._deserialize_item(item)
            return fail(json.dumps(found)) if found["content"].endswith(" 2") else found

    session = database.session(kind=Failing, codec=codec(), on_error="raise")
    await session.add_items(secret_items(0, 1, 2, 3))
    async for error in errors_of(session):
        assert_shows_nothing(error)


@ON_SQLITE
@COLUMNS
@pytest.mark.parametrize("fault", ["token", "form", "content", "raises"])
async def test_a_reader_that_refuses_shows_nothing(database, column, fault):
    from cryptography.fernet import Fernet

    class Raising(FernetTokenReader):
        def decode(self, stored, /, *, context):
            found = super().decode(stored, context=context)
            raise ValueError(found)

    token = Fernet(KEYS.primary.to_base64()).encrypt(f'{{"content": "{TEXT}"}}'.encode()).decode()
    broken = Fernet(KEYS.primary.to_base64()).encrypt(f'{{"content": "{TEXT}'.encode()).decode()
    other = token[:60] + ("A" if token[60] != "A" else "B") + token[61:]
    row = {"token": other, "form": token[:-8], "content": broken, "raises": token}[fault]
    database.column_type = column
    accept = (Raising if fault == "raises" else FernetTokenReader)(KEYS)
    reading = Codec.parse("msgpack+aesgcm", keys=KEYS, accept=(accept,))
    await spoil(database, row, codec=reading)
    async for error in errors_of(database.session(codec=reading)):
        assert_shows_nothing(error)


@ON_SQLITE
@COLUMNS
@pytest.mark.parametrize(
    "edit",
    [
        "DELETE FROM agent_messages WHERE id = 2",
        "UPDATE agent_messages SET created_at = '2001-01-01 00:00:00' WHERE id = 3",
        "DELETE FROM agent_sessions_heads",
        (
            "UPDATE agent_messages SET message_data = (SELECT message_data FROM agent_messages "
            "WHERE id = 1) WHERE id = 4"
        ),
    ],
)
async def test_a_history_that_its_ledger_refuses_shows_nothing(database, column, edit):
    database.column_type = column
    options = {"codec": codec(), "ledger": Ledger(KEYS)}
    await database.session(**options).add_items(secret_items(0, 1, 2, 3))
    await database.execute(edit)
    for read in [*READS.values(), popped_all]:
        session = database.session(engine=database.engine(), **options)
        with pytest.raises(HistoryTamperedError) as caught:
            await read(session)
        assert_shows_nothing(caught.value)


@ON_SQLITE
async def test_a_failing_batch_behind_others_shows_none_that_was_yielded(database):
    session = database.session(codec=codec())
    await session.add_items(secret_items(*range(6)))
    seen = []
    with pytest.raises(Exception, match="agent_messages") as caught:
        async for item in session.iter_items(2):
            seen.append(item)
            if len(seen) == 3:
                await database.execute("ALTER TABLE agent_messages RENAME TO elsewhere")
    assert seen == secret_items(0, 1, 2, 3)
    assert_holds_none(caught.value, [TEXT], [NUMBER])
