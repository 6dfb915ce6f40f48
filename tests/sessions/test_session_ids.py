"""Session ids: which are refused, and that no two are taken for one."""

import pytest

pytestmark = pytest.mark.text_on_servers

ALIKE = [
    "User-1", "user-1", "usér-1", "use\u0301r-1", "user-1 ", " user-1", "user-1\t", "user-1  ",
    "ﬀ", "ff", "ß", "ss", "İ", "i", "\u0131", "😀", "😁", "\U0001f468\u200d\U0001f469", "👨👩",
    "user%1", "user_1", "user'1", 'user"1', "user\\1", "user:1", "a\u00adb", "ab", "\uff10", "0",
    "\u200b", "\ufeff", "caf\u00e9", "cafe\u0301",
]  # fmt: skip


async def test_ids_compare_byte_for_byte(database):
    store = database.store()
    for number, session_id in enumerate(ALIKE):
        await store.session(session_id).add_items([{"n": number}])
    for number, session_id in enumerate(ALIKE):
        session = store.session(session_id)
        assert await session.get_items() == [{"n": number}], session_id
        assert await session.get_items(5) == [{"n": number}], session_id
    await store.session("user-1").clear_session()
    assert await store.session("User-1").pop_item() == {"n": 0}
    assert await store.session("user-1 ").get_items() == [{"n": ALIKE.index("user-1 ")}]
    await store.session("ff").replace_items([{"n": "new"}])
    assert await store.session("ﬀ").get_items() == [{"n": ALIKE.index("ﬀ")}]


async def test_the_id_lies_in_the_tables_as_it_is(database):
    session_id = "usér-1 😀 "
    await database.session(session_id).add_items([{"n": 1}])
    for table in ("agent_sessions", "agent_messages"):
        ((found,),) = await database.execute(f"SELECT session_id FROM {table}")
        assert found in (session_id, session_id.encode())


@pytest.mark.databases("sqlite-file", column_types=("text",))
@pytest.mark.parametrize(
    "wrong", ["", "a\0b", "\0", None, 7, b"bytes", ["s"], "lone \ud800 surrogate"], ids=repr
)
async def test_a_wrong_id_is_a_value_error(database, wrong, tmp_path):
    with pytest.raises(ValueError, match="session id"):
        database.session(wrong)
    with pytest.raises(ValueError, match="session id"):
        database.store().session(wrong)
    session = database.session("right")
    with pytest.raises(ValueError, match="session id"):
        session.session_id = wrong
    assert session.session_id == "right"
    assert not (tmp_path / "test.db").exists()


async def test_setting_the_id_turns_to_another_conversation(database):
    session = database.session("one")
    await session.add_items([{"n": 1}])
    session.session_id = "two"
    assert session.session_id == "two"
    assert await session.get_items() == []
    await session.add_items([{"n": 2}])
    session.session_id = "one"
    assert await session.get_items() == [{"n": 1}]
    assert await session.pop_item() == {"n": 1}


async def test_setting_the_id_binds_the_cipher_to_the_new_one(database):
    from strongroom import Key, Keyring

    keys = Keyring(Key.generate())
    session = database.session("one", codec="json+aesgcm", keys=keys)
    await session.add_items([{"n": 1}])
    session.session_id = "two"
    await session.add_items([{"n": 2}])
    fresh = database.session("two", codec="json+aesgcm", keys=keys)
    assert await fresh.get_items() == [{"n": 2}]


async def test_the_engine_cannot_be_set(database):
    session = database.session()
    with pytest.raises(AttributeError):
        session.engine = database.shared


@pytest.mark.databases("mysql-aiomysql", "mysql-asyncmy")
async def test_an_id_longer_than_the_column_is_a_value_error(database):
    longest = "é" * 510
    session = database.session(longest)
    await session.add_items([{"n": 1}])
    assert await session.get_items() == [{"n": 1}]
    with pytest.raises(ValueError, match="1020"):
        await database.session(longest + "x").add_items([{"n": 1}])


@pytest.mark.databases("sqlite-file", "sqlite-memory", "postgresql")
async def test_a_long_id_is_an_id(database):
    session_id = "é" * 600
    await database.session(session_id).add_items([{"n": 1}])
    assert await database.session(session_id).get_items() == [{"n": 1}]
    assert await database.session(session_id + "x").get_items() == []
