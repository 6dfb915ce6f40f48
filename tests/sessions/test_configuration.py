"""Arguments, tables and engines that fit together, and the errors of those that do not."""

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from strongroom import (
    Codec,
    ConfigurationError,
    JsonSerializer,
    Key,
    Keyring,
    SessionStore,
    SQLAlchemySession,
)

pytestmark = pytest.mark.no_tables
on_sqlite = pytest.mark.databases("sqlite-file", column_types=("text",))


# Arguments --------------------------------------------------------------------------------------


@on_sqlite
async def test_an_unknown_codec_is_an_error_that_lists_the_known_ones(database):
    with pytest.raises(ConfigurationError) as caught:
        database.session(codec="yaml")
    for name in ("yaml", "json", "orjson", "msgpack", "zlib", "zstd", "fernet", "aesgcm"):
        assert name in str(caught.value)


@on_sqlite
@pytest.mark.parametrize(
    "options",
    [
        {"codec": "json+aesgcm"},
        {"codec": "json", "keys": Keyring(Key.generate())},
        {"codec": Codec(JsonSerializer()), "keys": Keyring(Key.generate())},
        {"codec": "orjson", "ensure_ascii": False},
        {"codec": None},
        {"codec": ""},
        {"column_type": "blob"},
        {"on_error": "ignore"},
        {"namespace": None},
        {"engine": "sqlite+aiosqlite://"},
    ],
    ids=lambda options: ",".join(options),
)
async def test_arguments_that_do_not_fit_together_are_an_error(database, options):
    with pytest.raises(ConfigurationError):
        database.session("s", **options)
    options = {"engine": database.shared, **options}
    with pytest.raises(ConfigurationError):
        SessionStore(**options)


@on_sqlite
async def test_a_synchronous_engine_is_an_error(database):
    with pytest.raises(ConfigurationError, match="AsyncEngine"):
        database.session(engine=database.shared.sync_engine)


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///memory.db", "sqlite+aiosqlite"),
        ("sqlite://", "sqlite+aiosqlite"),
        ("postgresql://u:secret@h/d", "postgresql+asyncpg"),
        ("postgresql+psycopg2://u:secret@h/d", "postgresql+asyncpg"),
        ("postgres://u:secret@h/d", "postgresql+asyncpg"),
        ("mysql://u:secret@h/d", "mysql+aiomysql"),
        ("mysql+pymysql://u:secret@h/d", "mysql+aiomysql"),
        ("mariadb://u:secret@h/d", "mariadb+aiomysql"),
        ("oracle://u:secret@h/d", "sqlite"),
        ("nonsense://u:secret@h/d", "sqlite"),
        ("no url, secret", "sqlite+aiosqlite"),
    ],
)
def test_a_url_without_an_async_driver_is_an_error_that_names_one(url, driver):
    with pytest.raises(ConfigurationError, match=driver.replace("+", r"\+")) as caught:
        SQLAlchemySession.from_url("s", url=url)
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigurationError):
        SessionStore.from_url(url)


def test_an_option_of_a_url_that_the_driver_does_not_take_is_an_error_without_its_value():
    with pytest.raises(ConfigurationError, match="An option") as caught:
        SessionStore.from_url("sqlite+aiosqlite:///memory.db?timeout=hidden")
    assert "hidden" not in str(caught.value)
    assert caught.value.__context__ is None


# Tables -----------------------------------------------------------------------------------------


async def test_a_missing_table_is_an_error_that_says_what_to_do(database):
    session = database.session(create_tables=False)
    operations = [
        lambda: session.get_items(),
        lambda: session.add_items([{"n": 1}]),
        lambda: session.pop_item(),
        lambda: session.clear_session(),
        lambda: session.replace_items([]),
        lambda: anext(session.iter_items()),
        lambda: session._ensure_tables(),
    ]
    for operation in operations:
        with pytest.raises(ConfigurationError, match="create_tables"):
            await operation()
    await database.session(create_tables=True).add_items([{"n": 1}])
    assert await session.get_items() == [{"n": 1}]


async def test_create_tables_of_the_store_makes_them_for_all(database):
    store = database.store(create_tables=False)
    await store.create_tables()
    await store.create_tables()
    await store.session("s").add_items([{"n": 1}])
    assert await store.session("s").get_items() == [{"n": 1}]


async def test_a_column_of_the_other_type_is_an_error_that_names_it(database):
    await database.session().add_items([{"n": 1}])
    other = {"text": "binary", "binary": "text"}[database.column_type]
    session = database.session(column_type=other)
    with pytest.raises(ConfigurationError, match=f'column_type="{database.column_type}"'):
        await session.get_items()
    with pytest.raises(ConfigurationError, match=f'column_type="{database.column_type}"'):
        await session.add_items([{"n": 2}])
    assert await database.session().get_items() == [{"n": 1}]


@on_sqlite
async def test_a_table_that_lacks_a_column_is_an_error_that_names_it(database):
    await database.execute("CREATE TABLE agent_sessions (session_id VARCHAR PRIMARY KEY)")
    with pytest.raises(ConfigurationError, match="updated_at"):
        await database.session().get_items()


@on_sqlite
async def test_create_tables_never_alters_a_table_that_exists(database):
    await database.execute(
        "CREATE TABLE agent_sessions (session_id VARCHAR PRIMARY KEY, created_at TIMESTAMP "
        "DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, mine INTEGER)"
    )
    await database.execute(
        "CREATE TABLE agent_messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id VARCHAR, "
        "message_data TEXT, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"
    )
    schema = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
    before = await database.execute(schema)
    session = database.session(create_tables=True)
    await session.add_items([{"n": 1}])
    await database.store().create_tables()
    assert await session.get_items(1) == [{"n": 1}]
    assert await database.execute(schema) == before


@on_sqlite
async def test_a_table_without_the_index_works_and_is_logged_once(database, caplog):
    await database.session().add_items([{"n": 1}, {"n": 2}])
    await database.execute("DROP INDEX idx_agent_messages_session_id")
    engine = database.engine()
    for _ in range(2):
        session = database.session(engine=engine)
        await session.add_items([{"n": 3}])
        assert (await session.get_items(2))[-1] == {"n": 3}
        assert len([item async for item in session.iter_items(2)]) > 2
        assert await session.pop_item() == {"n": 3}
    told = [record for record in caplog.records if "index" in record.message]
    assert [record.name for record in told] == ["strongroom"]
    assert "upgrade" in told[0].message


# Engines ----------------------------------------------------------------------------------------


def disposed(engine, before):
    return engine.sync_engine.pool is not before


async def test_a_session_disposes_of_its_own_engine_only(database):
    await database.store().create_tables()
    own = SQLAlchemySession.from_url("s", url=database.url, column_type=database.column_type)
    pool = own.engine.sync_engine.pool
    async with own as session:
        assert session is own
    assert disposed(own.engine, pool)
    given = database.engine()
    pool = given.sync_engine.pool
    async with database.session(engine=given):
        pass
    await database.session(engine=given).aclose()
    await database.store(engine=given).aclose()
    assert not disposed(given, pool)


async def test_a_store_disposes_of_its_own_engine_only(database):
    store = SessionStore.from_url(
        database.url, create_tables=True, column_type=database.column_type
    )
    pool = store.engine.sync_engine.pool
    async with store as entered:
        assert entered is store
        async with store.session("s") as session:
            await session.add_items([{"n": 1}])
        await store.session("s").aclose()
        assert not disposed(store.engine, pool)
        assert await store.session("s").get_items() == [{"n": 1}]
    assert disposed(store.engine, pool)


async def test_leaving_a_session_by_an_error_disposes_too(database):
    own = SQLAlchemySession.from_url("s", url=database.url, create_tables=True)
    pool = own.engine.sync_engine.pool
    with pytest.raises(KeyError):
        async with own:
            raise KeyError
    assert disposed(own.engine, pool)


@on_sqlite
async def test_engine_kwargs_go_to_the_engine(database):
    async with SQLAlchemySession.from_url(
        "s", url=str(database.url), engine_kwargs={"pool_size": 3}, create_tables=True
    ) as session:
        assert session.engine.sync_engine.pool.size() == 3
        await session.add_items([{"n": 1}])


@on_sqlite
async def test_from_url_sets_wal_and_a_busy_timeout(database):
    async with (
        SQLAlchemySession.from_url("s", url=database.url, create_tables=True) as session,
        session.engine.connect() as conn,
    ):
        assert (await conn.exec_driver_sql("PRAGMA journal_mode")).scalar() == "wal"
        assert (await conn.exec_driver_sql("PRAGMA busy_timeout")).scalar() == 5000


@on_sqlite
async def test_a_given_engine_is_never_reconfigured(database):
    plain = create_async_engine(database.url, connect_args={"timeout": 1.25})
    async with plain.connect() as conn:
        await conn.exec_driver_sql("CREATE TABLE other (x)")
        await conn.commit()
    session = database.session(engine=plain)
    await session.add_items([{"n": 1}])
    async with plain.connect() as conn:
        assert (await conn.exec_driver_sql("PRAGMA journal_mode")).scalar() == "delete"
        assert (await conn.exec_driver_sql("PRAGMA busy_timeout")).scalar() == 1250
    await plain.dispose()


@on_sqlite
async def test_create_tables_sets_wal_on_a_file_that_it_makes(database):
    plain = database.engine()
    await database.session(engine=plain).add_items([{"n": 1}])
    async with plain.connect() as conn:
        assert (await conn.exec_driver_sql("PRAGMA journal_mode")).scalar() == "wal"
