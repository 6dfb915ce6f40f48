"""Side by side with the real classes of openai-agents: tables, bytes and wrappers."""

import json

import pytest

pytest.importorskip("agents.extensions.memory", reason="openai-agents is not installed")

from agents.extensions.memory import EncryptedSession
from agents.extensions.memory import SQLAlchemySession as TheirSession

from strongroom import SQLAlchemySession

ITEMS = [
    {"role": "user", "content": "größe, 日本語, 😀, \u2028, \x7f, </script>"},
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a": 1.50, "b": "é"}'},
    {"type": "function_call_output", "call_id": "c", "output": [{"type": "text", "text": '\\"\n'}]},
    {"n": [0.1, 1e300, 1e-7, 1.0, -0.0, 10**30, -1, True, None], "z": {}, "a": []},
    {"role": "assistant", "content": "\t\b\f\r\x00\x1f"},
]
pytestmark = pytest.mark.no_tables
on_both = pytest.mark.databases("sqlite-file", "postgresql", column_types=("text",))


def theirs(database, session_id="s", **options):
    return TheirSession(session_id, engine=database.engine(), **options)


# One table, two libraries -----------------------------------------------------------------------


@on_both
async def test_rows_of_theirs_are_read_by_ours_on_their_tables(database):
    other = theirs(database, create_tables=True)
    await other.add_items(ITEMS[:4])
    session = database.session(create_tables=False)
    assert await session.get_items() == ITEMS[:4]
    assert await session.get_items(2) == ITEMS[2:4]
    assert [item async for item in session.iter_items(3)] == ITEMS[:4]
    assert await session.pop_item() == ITEMS[3]
    await session.add_items(ITEMS[3:4])
    assert await other.get_items() == ITEMS[:4]
    await session.replace_items(ITEMS[:1])
    assert await other.get_items() == ITEMS[:1]
    await session.clear_session()
    assert await other.get_items() == []


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
async def test_rows_of_ours_are_read_by_theirs_on_our_tables(database):
    session = database.session(create_tables=True)
    await session.add_items(ITEMS[:4])
    other = theirs(database)
    assert await other.get_items() == ITEMS[:4]
    assert await other.pop_item() == ITEMS[3]
    await other.add_items(ITEMS[3:4])
    assert await session.get_items() == ITEMS[:4]
    await other.clear_session()
    assert await session.get_items() == []


@on_both
async def test_both_write_to_one_session_in_turns(database):
    other = theirs(database, create_tables=True)
    session = database.session()
    for number in range(6):
        await (session if number % 2 else other).add_items([{"n": number}])
    expected = [{"n": number} for number in range(6)]
    assert await session.get_items() == expected
    assert sorted(item["n"] for item in await other.get_items()) == list(range(6))
    assert await session.pop_item() == {"n": 5}


@on_both
@pytest.mark.parametrize("ensure_ascii", [True, False])
async def test_rows_are_theirs_byte_for_byte(database, ensure_ascii):
    other = theirs(database, "theirs", create_tables=True, ensure_ascii=ensure_ascii)
    await other.add_items(ITEMS)
    session = database.session("ours", ensure_ascii=ensure_ascii)
    await session.add_items(ITEMS)
    ours = [value for _, value in await database.rows("ours")]
    assert ours == [value for _, value in await database.rows("theirs")]
    assert list(map(json.loads, ours)) == ITEMS


@on_both
async def test_theirs_reads_what_orjson_wrote(database):
    other = theirs(database, create_tables=True)
    await database.session(codec="orjson").add_items(ITEMS)
    assert await other.get_items() == ITEMS


@on_both
async def test_what_theirs_leaves_out_ours_leaves_out(database):
    other = theirs(database, create_tables=True)
    await other.add_items([{"n": 1}])
    for value in ("", "{", "not JSON", '{"a": 1} x', "NaN and more"):
        await database.put(value)
    await other.add_items([{"n": 2}])
    session = database.session()
    assert await session.get_items() == await other.get_items() == [{"n": 1}, {"n": 2}]


@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_ours_takes_the_arguments_and_the_place_of_theirs(database):
    from agents.memory import Session, SessionSettings

    arguments = {
        "engine": database.shared,
        "create_tables": True,
        "sessions_table": "a",
        "messages_table": "b",
        "session_settings": SessionSettings(limit=2),
        "ensure_ascii": False,
    }
    ours, other = SQLAlchemySession("s", **arguments), TheirSession("s", **arguments)
    assert isinstance(ours, Session)
    await ours.add_items(ITEMS)
    assert await ours.get_items() == await other.get_items() == ITEMS[-2:]
    assert [c.name for c in ours._messages.c] == [c.name for c in other._messages.c]
    assert [c.name for c in ours._sessions.c] == [c.name for c in other._sessions.c]


# EncryptedSession over ours ---------------------------------------------------------------------


def encrypted(session):
    return EncryptedSession("s", session, encryption_key="a passphrase", ttl=600)


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql")
async def test_encrypted_session_wraps_ours(database):
    wrapped = encrypted(database.session())
    await wrapped.add_items(ITEMS)
    assert await wrapped.get_items() == ITEMS
    assert await wrapped.get_items(2) == ITEMS[-2:]
    assert await wrapped.pop_item() == ITEMS[-1]
    for _, value in await database.rows():
        assert set(json.loads(value)) == {"__enc__", "v", "kid", "payload"}
    await wrapped.clear_session()
    assert await wrapped.get_items() == []


@on_both
async def test_encrypted_session_over_theirs_and_over_ours_read_each_other(database):
    over_theirs = encrypted(theirs(database, create_tables=True))
    over_ours = encrypted(database.session())
    await over_theirs.add_items(ITEMS[:2])
    await over_ours.add_items(ITEMS[2:])
    assert await over_ours.get_items() == await over_theirs.get_items() == ITEMS
