"""MySQL and MariaDB: items up to the server's packet size, and tables made by hand."""

import contextlib

import pytest

from histories import n
from strongroom import ConfigurationError, EncodeError, Key, Keyring, Ledger

pytestmark = [
    pytest.mark.databases("mysql-aiomysql", "mysql-asyncmy", column_types=("text", "binary")),
    pytest.mark.no_tables,
]

MIB = 2**20
OVERHEAD = 4096


@contextlib.asynccontextmanager
async def packet_of(database, size):
    """Let the server take packets of a size, on connections opened from now on."""
    ((before,),) = await database.execute("SELECT @@global.max_allowed_packet")
    await database.execute(f"SET GLOBAL max_allowed_packet = {size}")
    try:
        yield database.engine()
    finally:
        await database.execute(f"SET GLOBAL max_allowed_packet = {before}")


def said(text):
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("codec", ["json", "msgpack+aesgcm"])
async def test_an_item_of_20_mb_survives_where_the_server_takes_it(database, codec):
    keys = Keyring(Key.generate()) if "+" in codec else None
    async with packet_of(database, 64 * MIB) as engine:
        session = database.session(engine=engine, codec=codec, keys=keys)
        items = [*said("a"), *said("x" * 20_000_000), *said("z")]
        await session.add_items(items)
        assert await session.get_items() == items
        await session.replace_items(items[1:])
        assert await session.get_items(2) == items[1:]
        assert await session.pop_item() == items[2]
        assert await session.pop_item() == items[1]


@pytest.mark.parametrize("ledger", [False, True], ids=["", "ledger"])
async def test_what_is_beyond_the_packet_is_an_encode_error_and_nothing_is_written(
    database, ledger
):
    options = {"ledger": Ledger(Keyring(Key.generate()))} if ledger else {}
    async with packet_of(database, 16 * MIB) as engine:
        session = database.session(engine=engine, **options)
        await session.add_items(said("before"))
        sessions = await database.execute("SELECT * FROM agent_sessions")
        for write in (session.add_items, session.replace_items):
            with pytest.raises(EncodeError, match="max_allowed_packet") as caught:
                await write([*said("a"), *said("x" * 20_000_000)])
            assert str(16 * MIB - OVERHEAD) in str(caught.value)
        new = database.session("new", engine=engine, **options)
        with pytest.raises(EncodeError, match="max_allowed_packet"):
            await new.add_items(said("x" * 20_000_000))
        assert await session.get_items() == said("before")
        assert await database.execute("SELECT * FROM agent_sessions") == sessions
        await session.add_items(said("after"))


class Raw:
    """Stores a value as it is, to hit a size exactly."""

    @staticmethod
    def of(database, value):
        from strongroom import SQLAlchemySession

        class Session(SQLAlchemySession):
            async def _serialize_item(self, item):
                return database.column(value)

            async def _deserialize_item(self, stored):
                return {"size": len(stored), "same": stored == database.column(value)}

        return Session


@pytest.mark.parametrize("letter", ["x", "'", "\\", '"', "\n", "é", "\x1a"], ids=repr)
async def test_the_largest_value_that_is_not_refused_is_taken(database, letter):
    room = 2 * MIB - OVERHEAD
    size = len(letter.encode()) + (letter in "'\\\"\n\x1a")
    async with packet_of(database, 2 * MIB) as engine:
        fits = database.session(engine=engine, kind=Raw.of(database, letter * (room // size)))
        await fits.add_items(n(1))
        (found,) = await fits.get_items()
        assert found["same"]
        value = letter * (room // size + 1)
        with pytest.raises(EncodeError, match="max_allowed_packet"):
            await database.session(engine=engine, kind=Raw.of(database, value)).add_items(n(1))


async def test_a_batch_may_be_larger_than_a_packet(database):
    items = [{"role": "user", "content": f"{k} " + "x" * 20_000} for k in range(60)]
    async with packet_of(database, 128 * 1024) as engine:
        session = database.session(engine=engine)
        await session.add_items(items)
        assert await session.get_items() == items
        await session.replace_items(items[::-1])
        assert await session.get_items() == items[::-1]
        linked = database.session("l", engine=engine, ledger=Ledger(Keyring(Key.generate())))
        await linked.add_items(items)
        assert await linked.get_items() == items


# Tables made by hand ------------------------------------------------------------------------------

TEXT_ID = "VARCHAR(200) CHARACTER SET utf8mb4 COLLATE {}"
DATA = {"text": "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "binary": "LONGBLOB"}


async def make(database, *, key="VARBINARY(255)", other_key=None, data=None):
    """Make the tables as somebody by hand might have."""
    time = "DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"
    await database.execute(
        f"CREATE TABLE agent_sessions (session_id {key} PRIMARY KEY, created_at {time}, "
        f"updated_at {time})"
    )
    await database.execute(
        f"CREATE TABLE agent_messages (id BIGINT AUTO_INCREMENT PRIMARY KEY, "
        f"session_id {other_key or key} NOT NULL, "
        f"message_data {data or DATA[database.column_type]} NOT NULL, created_at {time}, "
        f"INDEX (session_id, id))"
    )
    return database.session("User-1", create_tables=False)


@pytest.mark.parametrize(
    "collation",
    ["utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_bin", "utf8mb4_unicode_nopad_ci"],
)
@pytest.mark.parametrize("table", ["both", "agent_messages"])
async def test_a_collation_that_confuses_ids_is_an_error(database, collation, table):
    confusing = TEXT_ID.format(collation)
    session = await make(
        database,
        key=confusing if table == "both" else "VARBINARY(255)",
        other_key=confusing,
    )
    with pytest.raises(ConfigurationError, match=collation) as caught:
        await session.add_items(n(1))
    assert "VARBINARY" in str(caught.value)
    assert await database.execute("SELECT count(*) FROM agent_sessions") == [(0,)]


async def test_a_collation_that_confuses_no_ids_works(database):
    session = await make(database, key=TEXT_ID.format("utf8mb4_nopad_bin"))
    names = ["User-1", "user-1", "usér-1", "user-1 ", "User-1\u200b"]
    for number, name in enumerate(names):
        session.session_id = name
        await session.add_items(n(number))
    for number, name in enumerate(names):
        session.session_id = name
        assert await session.get_items() == n(number)
    with pytest.raises(ValueError, match="200"):
        await database.session("é" * 201, create_tables=False).add_items(n(1))


@pytest.mark.parametrize(
    ("text", "binary"), [("TEXT", "BLOB"), ("TINYTEXT", "TINYBLOB"), ("VARCHAR(9000)", None)]
)
async def test_a_column_that_cuts_values_is_an_error(database, text, binary):
    kind = text if database.column_type == "text" else binary or "VARBINARY(9000)"
    session = await make(database, data=kind)
    with pytest.raises(ConfigurationError, match="make it LONG"):
        await session.get_items()


@pytest.mark.databases("mysql-aiomysql", "mysql-asyncmy", column_types=("text",))
@pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "latin1_bin", "utf8mb3_bin"])
async def test_a_collation_that_confuses_values_is_an_error(database, collation):
    charset = collation.partition("_")[0]
    session = await make(database, data=f"LONGTEXT CHARACTER SET {charset} COLLATE {collation}")
    with pytest.raises(ConfigurationError, match="utf8mb4_bin"):
        await session.get_items()


async def test_an_id_that_a_short_column_would_cut_is_a_value_error(database):
    await make(database, key="VARBINARY(20)")
    fits, longer = "é" * 10, "é" * 10 + "x"
    await database.session(fits, create_tables=False).add_items(n(1))
    session = database.session(longer, create_tables=False)
    for operation in (
        lambda: session.add_items(n(2)),
        session.get_items,
        session.pop_item,
        session.clear_session,
        lambda: session.replace_items(n(2)),
    ):
        with pytest.raises(ValueError, match="20"):
            await operation()
    assert await database.execute("SELECT count(*) FROM agent_sessions") == [(1,)]
