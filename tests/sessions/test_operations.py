"""What each operation of a session does, on every database."""

import pytest
from sqlalchemy import event

from strongroom import Codec, SQLAlchemySession
from strongroom.session.settings import Settings

pytestmark = pytest.mark.partitioned


def said(*texts):
    return [{"role": "user", "content": str(text)} for text in texts]


# add_items and get_items ------------------------------------------------------------------------


async def test_items_come_back_oldest_first(database):
    session = database.session()
    await session.add_items(said(1, 2, 3))
    await session.add_items(said(4))
    assert await session.get_items() == said(1, 2, 3, 4)


async def test_a_session_that_was_never_written_is_empty(database):
    session = database.session()
    assert await session.get_items() == []
    assert await session.get_items(5) == []
    assert await session.pop_item() is None


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(0, []), (1, [4]), (3, [2, 3, 4]), (4, [1, 2, 3, 4]), (2**63, [1, 2, 3, 4])],
)
async def test_a_limit_gives_the_latest_items(database, limit, expected):
    session = database.session()
    await session.add_items(said(1, 2, 3, 4))
    assert await session.get_items(limit) == said(*expected)
    assert await session.get_items(limit=limit) == said(*expected)


async def test_a_negative_limit_is_a_value_error(database):
    session = database.session()
    with pytest.raises(ValueError, match="-1"):
        await session.get_items(-1)
    session.session_settings = {"limit": -2}
    with pytest.raises(ValueError, match="-2"):
        await session.get_items()


async def test_adding_nothing_writes_nothing(database):
    session = database.session()
    await session.add_items([])
    await session.add_items(said(1))
    statements = []
    event.listen(
        database.shared.sync_engine,
        "before_cursor_execute",
        lambda conn, cursor, statement, *rest: statements.append(statement),
    )
    await session.add_items([])
    assert statements == []
    assert await database.execute("SELECT count(*) FROM agent_messages") == [(1,)]


async def test_adding_nothing_makes_no_session(database):
    session = database.session()
    await session.add_items([])
    await session.get_items()
    assert await database.execute("SELECT count(*) FROM agent_sessions") == [(0,)]


async def test_a_batch_of_many_items_keeps_its_order(database):
    session = database.session()
    await session.add_items(said(*range(1500)))
    assert await session.get_items() == said(*range(1500))
    assert await session.get_items(3) == said(1497, 1498, 1499)


async def test_the_caller_keeps_its_list(database):
    session = database.session()
    items = said(1, 2)
    await session.add_items(items)
    assert items == said(1, 2)
    got = await session.get_items()
    got[0]["content"] = "changed"
    assert await session.get_items() == said(1, 2)


async def test_an_append_touches_updated_at_and_leaves_created_at(database):
    session = database.session()
    await session.add_items(said(1))
    await database.execute(
        "UPDATE agent_sessions SET created_at = '2020-01-01 00:00:00', "
        "updated_at = '2020-01-01 00:00:00'"
    )
    await session.add_items(said(2))
    ((created, updated),) = await database.execute(
        "SELECT created_at, updated_at FROM agent_sessions"
    )
    assert str(created).startswith("2020-01-01")
    assert str(updated) > "2021"


# session_settings -------------------------------------------------------------------------------


async def test_the_settings_limit_is_the_default(database):
    session = database.session(session_settings={"limit": 2})
    await session.add_items(said(1, 2, 3))
    assert await session.get_items() == said(2, 3)
    assert await session.get_items(1) == said(3)
    assert await session.get_items(limit=3) == said(1, 2, 3)
    session.session_settings = {"limit": 0}
    assert await session.get_items() == []
    session.session_settings = None
    assert await session.get_items() == said(1, 2, 3)


@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_settings_given_as_a_dict_read_as_an_object(database):
    session = database.session(session_settings={"limit": 2})
    assert session.session_settings.limit == 2
    resolved = session.session_settings.resolve(None)
    assert resolved.limit == 2
    assert session.session_settings.resolve(Settings(limit=9)).limit == 9
    assert session.session_settings.resolve(Settings()).limit == 2
    assert session.session_settings.to_dict() == {"limit": 2}


@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_settings_of_openai_agents_are_kept(database):
    memory = pytest.importorskip("agents.memory", reason="openai-agents is not installed")
    settings = memory.SessionSettings(limit=1)
    session = database.session(session_settings=settings)
    assert session.session_settings is settings
    await session.add_items(said(1, 2))
    assert await session.get_items() == said(2)
    ours = database.session(session_settings={"limit": 7}).session_settings
    assert ours.resolve(settings).limit == 1


@pytest.mark.databases("sqlite-file", column_types=("text",))
@pytest.mark.parametrize("settings", [{"limits": 2}, 3, "5", []])
async def test_settings_of_another_kind_are_a_type_error(database, settings):
    with pytest.raises(TypeError):
        database.session(session_settings=settings)


# pop_item and clear_session ---------------------------------------------------------------------


async def test_pop_takes_the_newest_item(database):
    session = database.session()
    await session.add_items(said(1, 2, 3))
    assert await session.pop_item() == said(3)[0]
    assert await session.get_items() == said(1, 2)
    await session.add_items(said(4))
    assert await session.pop_item() == said(4)[0]
    assert await session.pop_item() == said(2)[0]
    assert await session.pop_item() == said(1)[0]
    assert await session.pop_item() is None
    await session.add_items(said(5))
    assert await session.get_items() == said(5)


async def test_the_id_of_a_popped_row_is_never_used_again(database):
    session = database.session()
    await session.add_items(said(1, 2, 3))
    seen = {row_id for row_id, _ in await database.rows()}
    for number in range(4, 9):
        await session.pop_item()
        await session.add_items(said(number))
        newest = (await database.rows())[-1][0]
        assert newest > max(seen)
        seen.add(newest)
    await session.clear_session()
    await session.add_items(said(9))
    assert (await database.rows())[-1][0] > max(seen)


async def test_clear_removes_the_items_and_the_session(database):
    session = database.session()
    await session.add_items(said(1, 2))
    await session.clear_session()
    assert await session.get_items() == []
    assert await database.execute("SELECT count(*) FROM agent_messages") == [(0,)]
    assert await database.execute("SELECT count(*) FROM agent_sessions") == [(0,)]
    await session.clear_session()
    await session.add_items(said(3))
    assert await session.get_items() == said(3)


# replace_items and iter_items -------------------------------------------------------------------


async def test_replace_puts_new_items_in_the_place_of_all(database):
    session = database.session()
    await session.replace_items(said(1, 2))
    assert await session.get_items() == said(1, 2)
    before = {row_id for row_id, _ in await database.rows()}
    await session.replace_items(said(3))
    assert await session.get_items() == said(3)
    assert min(row_id for row_id, _ in await database.rows()) > max(before)
    await session.replace_items([])
    assert await session.get_items() == []
    await session.add_items(said(4))
    assert await session.get_items() == said(4)


async def test_replace_keeps_the_history_when_an_item_cannot_be_stored(database):
    session = database.session()
    await session.add_items(said(1))
    before = await database.rows()
    with pytest.raises(Exception, match="set"):
        await session.replace_items([*said(2), {"content": {1, 2}}])
    assert await database.rows() == before


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 256])
async def test_iter_items_yields_all_in_order(database, size):
    session = database.session()
    await session.add_items(said(*range(7)))
    assert [item async for item in session.iter_items(batch_size=size)] == said(*range(7))


async def test_iter_items_sees_what_comes_while_it_runs(database):
    session = database.session()
    await session.add_items(said(1, 2))
    seen = []
    async for item in session.iter_items(batch_size=2):
        seen.append(item)
        if len(seen) == 1:
            await session.add_items(said(3))
    assert seen == said(1, 2, 3)


@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_iter_items_refuses_an_empty_batch(database):
    with pytest.raises(ValueError, match="batch_size"):
        await anext(database.session().iter_items(batch_size=0))


# Several sessions -------------------------------------------------------------------------------


async def test_sessions_of_one_store_do_not_mix(database):
    store = database.store()
    one, two = store.session("one"), store.session("two")
    await one.add_items(said(1))
    await two.add_items(said("a", "b"))
    await one.add_items(said(2))
    assert await one.get_items() == said(1, 2)
    assert await two.get_items() == said("a", "b")
    assert await two.get_items(1) == said("b")
    assert await one.pop_item() == said(2)[0]
    await one.replace_items(said(3))
    assert await two.get_items() == said("a", "b")
    await two.clear_session()
    assert [item async for item in one.iter_items(1)] == said(3)


async def test_stores_with_other_table_names_do_not_mix(database):
    one = database.session()
    two = database.session(sessions_table="other sessions", messages_table="Other-Messages")
    await one.add_items(said(1))
    await two.add_items(said(2))
    assert await one.get_items() == said(1)
    assert await two.get_items() == said(2)


@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_making_a_store_and_a_session_touches_no_database(database, tmp_path):
    store = database.store()
    session = store.session("s", session_settings={"limit": 3})
    assert isinstance(session, SQLAlchemySession)
    assert session.session_settings.limit == 3
    assert session.engine is store.engine
    assert not (tmp_path / "test.db").exists()


async def test_every_codec_writes_what_every_other_operation_reads(database):
    for spec in ("json", "orjson", "msgpack", "msgpack+zlib"):
        session = database.session("s" + spec, codec=Codec.parse(spec))
        await session.add_items(said("größe", "𝄞"))
        await session.replace_items([*await session.get_items(), *said("末")])
        assert await session.pop_item() == said("末")[0]
        assert [item async for item in session.iter_items()] == said("größe", "𝄞")


@pytest.mark.no_tables
@pytest.mark.partitioned(False)
@pytest.mark.databases("sqlite-file", "postgresql", column_types=("text",))
async def test_clear_leaves_nothing_in_tables_without_a_foreign_key(database):
    number = {"sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT", "postgresql": "BIGSERIAL PRIMARY KEY"}
    time = "TIMESTAMP DEFAULT CURRENT_TIMESTAMP"
    await database.execute(
        f"CREATE TABLE agent_sessions (session_id VARCHAR PRIMARY KEY, created_at {time}, "
        f"updated_at {time})"
    )
    await database.execute(
        f"CREATE TABLE agent_messages (id {number[database.dialect]}, session_id VARCHAR, "
        f"message_data TEXT, created_at {time})"
    )
    session = database.session(create_tables=False)
    await session.add_items(said(1, 2))
    await session.clear_session()
    assert await session.get_items() == []
