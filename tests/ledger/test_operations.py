"""What a session with a ledger does, and that it is what one without does."""

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tampering import Tamperer

from histories import n
from strongroom import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    EncodeError,
    HistoryTamperedError,
    Key,
    Keyring,
    Ledger,
    PayloadError,
    SQLAlchemySession,
    UnknownKeyError,
)

KEYS = [Key(bytes([number]) * 32) for number in range(3)]
LEDGER = Ledger(Keyring(KEYS[0]))
CODECS = {
    "json": None,
    "orjson": None,
    "msgpack+zstd": None,
    "orjson+aesgcm": Keyring(KEYS[1]),
    "json+fernet": Keyring(KEYS[1]),
}


@pytest.mark.databases(column_types=("text", "binary"))
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.representatives(codec=("json", "orjson+aesgcm"))
async def test_every_operation_with_every_codec(database, codec):
    session = database.session(codec=codec, keys=CODECS[codec], ledger=LEDGER)
    assert await session.get_items() == []
    assert await session.pop_item() is None
    await session.clear_session()
    await session.add_items(n(1, 2, 3))
    await session.add_items([])
    await session.add_items(n(4))
    assert await session.get_items() == n(1, 2, 3, 4)
    assert await session.get_items(2) == n(3, 4)
    assert [item async for item in session.iter_items(3)] == n(1, 2, 3, 4)
    assert await session.pop_item() == {"n": 4}
    await session.replace_items(n(7, 8))
    assert await session.get_items() == n(7, 8)
    await session.clear_session()
    assert await session.get_items() == []
    assert await session.pop_item() is None
    await session.replace_items(n(5))
    await session.replace_items([])
    assert await session.get_items(3) == []
    await session.add_items(n(6))
    assert await session.get_items() == n(6)


class Hooked(SQLAlchemySession):
    async def _serialize_item(self, item):
        return "<" + str(await super()._serialize_item(item))

    async def _deserialize_item(self, item):
        text = item if isinstance(item, str) else item.decode()
        return await super()._deserialize_item(text[1:])


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
async def test_hooks_never_see_a_link(database):
    session = database.session(kind=Hooked, codec="orjson", ledger=LEDGER)
    await session.add_items(n(1, 2))
    assert (await database.rows())[0][1][102:] == '<{"n":1}'
    assert await session.get_items() == n(1, 2)
    assert await session.pop_item() == {"n": 2}
    value = (await database.rows())[0][1]
    await Tamperer(database).set((await database.rows())[0][0], value.replace("1}", "2}"))
    with pytest.raises(HistoryTamperedError):
        await session.get_items()


class Forging(SQLAlchemySession):
    async def _serialize_item(self, item):
        return "waYB" + "A" * 98 + "{}"


@pytest.mark.databases("sqlite-file")
@pytest.mark.parametrize("ledger", [None, LEDGER])
async def test_what_a_hook_returns_may_not_look_like_a_link(database, ledger):
    session = database.session(kind=Forging, codec="orjson", ledger=ledger)
    if database.column_type == "binary":
        Forging.value = b"\xc1\xa6\x01" + bytes(80)

        async def serialize(self, item):
            return Forging.value

        kind = type("ForgingBytes", (SQLAlchemySession,), {"_serialize_item": serialize})
        session = database.session(kind=kind, codec="orjson", ledger=ledger)
    with pytest.raises(EncodeError, match="ledger"):
        await session.add_items(n(1))
    assert await database.session(ledger=ledger).get_items() == []


# Keys ---------------------------------------------------------------------------------------------


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql")
async def test_ledger_keys_rotate(database):
    old, both, new = (Ledger(Keyring(*keys)) for keys in (KEYS[:1], (KEYS[1], KEYS[0]), (KEYS[1],)))
    await database.session(ledger=old).add_items(n(1, 2))
    session = database.session(ledger=both)
    assert await session.get_items() == n(1, 2)
    await session.add_items(n(3))
    assert await session.get_items() == n(1, 2, 3)
    with pytest.raises(UnknownKeyError) as caught:
        await database.session(ledger=old).get_items()
    assert caught.value.key_id == KEYS[1].id
    assert caught.value.session_id == "s"
    # The head is under the new key, and two rows are not.
    with pytest.raises(UnknownKeyError):
        await database.session(ledger=new).get_items()
    assert await database.session(ledger=new).get_items(1) == n(3)
    await session.replace_items(n(4))
    assert await database.session(ledger=new).get_items() == n(4)


@pytest.mark.databases("sqlite-file", "postgresql", column_types=("text",))
async def test_a_process_that_does_not_read_the_new_key_yet_gets_an_error_and_changes_nothing(
    database,
):
    await database.session(ledger=Ledger(Keyring(KEYS[1], KEYS[0]))).add_items(n(1))
    rows = await database.rows()
    session = database.session(ledger=LEDGER)
    for operation in (session.add_items(n(2)), session.pop_item(), session.clear_session()):
        with pytest.raises(UnknownKeyError):
            await operation
    assert await database.rows() == rows


@pytest.mark.databases("sqlite-file", "postgresql", column_types=("text",))
async def test_a_worker_that_lost_its_ledger_reads_nothing(database):
    await database.session(codec="orjson", ledger=LEDGER).add_items(n(1))
    with pytest.raises(Exception, match="linked by a ledger"):
        await database.session(codec="orjson").get_items()


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
async def test_the_heads_table_is_missed_by_name(database):
    await database.session(codec="orjson").add_items(n(1))
    session = database.session(codec="orjson", ledger=LEDGER, create_tables=False)
    with pytest.raises(ConfigurationError, match="agent_sessions_heads"):
        await session.get_items()


# Rows that cannot be read -------------------------------------------------------------------------


async def unreadable_in(session, database, *places):
    """Make a history of 1 to 5, of which some rows are authentic and cannot be read."""
    broken = database.session(codec="orjson+aesgcm", keys=Keyring(KEYS[2]), ledger=LEDGER)
    for number in range(1, 6):
        writer = broken if number in places else session
        await writer.add_items(n(number))


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql")
async def test_skip_leaves_out_what_is_authentic_and_cannot_be_read(database):
    options = {"codec": "orjson+aesgcm", "keys": Keyring(KEYS[1]), "ledger": LEDGER}
    session = database.session(on_error="skip", **options)
    await unreadable_in(session, database, 2, 4)
    assert await session.get_items() == n(1, 3, 5)
    assert await session.get_items(2) == n(3, 5)
    with pytest.raises((AuthenticationError, UnknownKeyError)):
        await database.session(**options).get_items()


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
async def test_skip_does_not_leave_out_what_is_not_authentic(database):
    session = database.session(on_error="skip", codec="orjson", ledger=LEDGER)
    await session.add_items(n(1, 2, 3))
    row_id, value = (await database.rows())[1]
    await Tamperer(database).set(row_id, value[:-1] + "]")
    with pytest.raises(HistoryTamperedError):
        await session.get_items()
    assert await session.pop_item() == {"n": 3}
    with pytest.raises(HistoryTamperedError):
        await session.pop_item()


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", "mysql-asyncmy")
async def test_pop_passes_over_what_cannot_be_read_and_links_it_anew(database):
    options = {"codec": "orjson+aesgcm", "keys": Keyring(KEYS[1]), "ledger": LEDGER}
    session = database.session(on_error="skip", **options)
    await unreadable_in(session, database, 3, 4, 5)
    before = await Tamperer(database).rows()
    assert await session.pop_item() == {"n": 2}
    after = await Tamperer(database).rows()
    kept = [before[0], *before[2:]]
    assert [(row[0], row[3]) for row in after] == [(row[0], row[3]) for row in kept]
    size = 76 if database.column_type == "binary" else 102
    assert [row[2][size:] for row in after] == [row[2][size:] for row in kept]
    assert await session.get_items() == n(1)
    theirs = database.session(codec="orjson+aesgcm", keys=Keyring(KEYS[2], KEYS[1]), ledger=LEDGER)
    assert await theirs.get_items() == n(1, 3, 4, 5)
    assert await session.pop_item() == {"n": 1}
    assert await session.pop_item() is None
    assert await theirs.get_items() == n(3, 4, 5)
    with pytest.raises((AuthenticationError, UnknownKeyError)):
        await database.session(**options).pop_item()


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
async def test_pop_deletes_nothing_that_it_cannot_decode(database):
    session = database.session(codec="orjson", ledger=LEDGER)
    await session.add_items(n(1))
    broken = database.session(kind=Hooked, codec="orjson", ledger=LEDGER)
    await broken.add_items(n(2))
    rows = await database.rows()
    with pytest.raises(PayloadError):
        await database.session(codec="orjson", ledger=LEDGER, on_error="raise").pop_item()
    assert await database.rows() == rows


# Other writers ------------------------------------------------------------------------------------


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
async def test_a_stream_goes_on_while_others_append(database):
    session = database.session(ledger=LEDGER)
    await session.add_items(n(*range(6)))
    stream = session.iter_items(2)
    got = [await anext(stream)]
    await database.session(ledger=LEDGER, engine=database.engine()).add_items(n(6))
    got += [item async for item in stream]
    assert got == n(*range(7))


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
@pytest.mark.parametrize("change", ["pop", "replace", "clear"])
async def test_a_stream_ends_with_a_conflict_when_others_change_what_it_has_read(database, change):
    session = database.session(ledger=LEDGER)
    await session.add_items(n(*range(6)))
    stream = session.iter_items(2)
    await anext(stream)
    other = database.session(ledger=LEDGER, engine=database.engine())
    changes = {
        "pop": other.pop_item,
        "replace": lambda: other.replace_items(n(*range(9))),
        "clear": other.clear_session,
    }
    for _ in range(5 if change == "pop" else 1):
        await changes[change]()
    with pytest.raises(ConflictError, match="read it again"):
        pytest.fail(str([item async for item in stream]))


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
async def test_tampering_under_a_standing_head_is_tampering_in_a_stream(database):
    session = database.session(ledger=LEDGER)
    await session.add_items(n(*range(6)))
    stream = session.iter_items(2)
    await anext(stream)
    await Tamperer(database).delete((await database.rows())[-1][0])
    with pytest.raises(HistoryTamperedError):
        pytest.fail(str([item async for item in stream]))


async def test_many_tasks_append_and_pop_one_session(database):
    store = database.store(ledger=LEDGER)
    await store.session("s").add_items(n(*range(8)))
    results = await asyncio.gather(
        *(store.session("s").add_items(n(100 + k, 200 + k)) for k in range(12)),
        *(store.session("s").pop_item() for _ in range(12)),
    )
    popped = [item["n"] for item in results if item is not None]
    left = [item["n"] for item in await store.session("s").get_items()]
    whole = [*range(8), *(100 + k for k in range(12)), *(200 + k for k in range(12))]
    assert sorted(popped + left) == sorted(whole)


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
async def test_writers_that_keep_winning_are_a_conflict(database, monkeypatch):
    from strongroom.sql import retry
    from strongroom.sql.dialects.base.ledger import LedgerStatements

    session = database.session(ledger=LEDGER)
    await session.add_items(n(1))
    monkeypatch.setattr(retry, "RETRY_SECONDS", 0.2)
    monkeypatch.setattr(LedgerStatements, "advance", lambda self, *args: False)
    monkeypatch.setattr(
        "strongroom.sql.dialects.postgresql.ledger.PostgreSQLLedger._add", lambda self, *args: False
    )
    with pytest.raises(ConflictError):
        await session.add_items(n(2))
    monkeypatch.undo()
    assert await session.get_items() == n(1)


# Compaction ---------------------------------------------------------------------------------------


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql")
async def test_compaction_keeps_the_history_valid_and_its_beginning_untouched(database):
    session = database.session(ledger=LEDGER)
    await session.add_items(n(*range(8)))
    before = await Tamperer(database).rows()
    snapshot = await session._get_compaction_snapshot(4)
    assert snapshot.items == n(4, 5, 6, 7)
    assert await snapshot.replace_suffix(1, n(50))
    assert await session.get_items() == n(0, 1, 2, 3, 4, 50)
    assert (await Tamperer(database).rows())[:5] == before[:5]
    assert not await snapshot.replace_suffix(1, n(51))
    snapshot = await session._get_compaction_snapshot(
        2, prune_prefix=lambda item: item["n"] in {0, 1}
    )
    assert await snapshot.replace_suffix(1, n(60))
    assert await session.get_items() == n(2, 3, 4, 60)
    after = await Tamperer(database).rows()
    assert [row[3] for row in after[:3]] == [row[3] for row in before[2:5]]
    assert await session._atomic_replace_items(n(9))
    assert await session.get_items() == n(9)


async def test_an_unknown_key_does_not_hide_an_edit_before_it(database):
    ledger = Ledger(Keyring(KEYS[0]))
    session = database.session(ledger=ledger)
    await session.add_items(n(1, 2, 3))
    tamperer = Tamperer(database)
    rows = await tamperer.rows()
    text = isinstance(rows[0][2], str)
    other = "B" * 12 if text else b"\1" * 9
    place = 4 if text else 3
    await tamperer.set(rows[2][0], rows[2][2][:place] + other + rows[2][2][place + len(other) :])
    with pytest.raises(UnknownKeyError) as caught:
        await session.get_items()
    assert (caught.value.session_id, caught.value.row_id) == ("s", rows[2][0])
    await tamperer.set(rows[0][0], rows[0][2] + rows[0][2][-1:])
    with pytest.raises(HistoryTamperedError) as refused:
        await session.get_items()
    assert refused.value.row_id == rows[0][0]
