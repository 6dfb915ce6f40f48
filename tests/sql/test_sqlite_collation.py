"""Tables of SQLite, made by hand, whose collation takes different session ids for one."""

import sqlite3
from contextlib import closing

import pytest

from strongroom import ConfigurationError, Key, Keyring, Ledger

pytestmark = [
    pytest.mark.databases("sqlite-file", column_types=("text",)),
    pytest.mark.no_tables,
]

NOCASE = "VARCHAR COLLATE NOCASE"
TABLES = {
    "agent_sessions": "(session_id {} NOT NULL PRIMARY KEY, "
    "created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL, "
    "updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)",
    "agent_messages": "(id INTEGER PRIMARY KEY AUTOINCREMENT, session_id {} NOT NULL "
    "REFERENCES agent_sessions (session_id) ON DELETE CASCADE, message_data TEXT NOT NULL, "
    "created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)",
    "agent_sessions_heads": "(session_id {} NOT NULL PRIMARY KEY, head BLOB NOT NULL)",
}


async def make(database, **kinds):
    for table, columns in TABLES.items():
        await database.execute(f"CREATE TABLE {table} {columns.format(kinds.get(table, 'TEXT'))}")


@pytest.mark.parametrize("collation", ["NOCASE", "RTRIM"])
@pytest.mark.parametrize("table", TABLES)
async def test_a_collation_that_mixes_up_sessions_is_refused(database, table, collation):
    await make(database, **{table: f"VARCHAR COLLATE {collation}"})
    store = database.store(ledger=Ledger(Keyring(Key(bytes(32)))))
    with pytest.raises(ConfigurationError, match=f"{table}.session_id has the .* {collation}"):
        await store.session("a").get_items()


async def test_the_sql_of_the_error_mends_the_tables_and_keeps_the_rows(database):
    await make(database, agent_sessions=NOCASE, agent_messages=NOCASE)
    await database.execute("INSERT INTO agent_sessions (session_id) VALUES ('Ann')")
    await database.execute(
        "INSERT INTO agent_messages (session_id, message_data) VALUES ('Ann', '[1]')"
    )
    store = database.store()
    for _ in ("agent_sessions", "agent_messages"):
        with pytest.raises(ConfigurationError) as caught:
            await store.session("Ann").get_items()
        with closing(sqlite3.connect(database.url.database)) as conn:
            conn.executescript(caught.value.message.partition("by this SQL: ")[2])
    await store.session("ann").add_items([2])
    assert await store.session("Ann").get_items() == [[1]]
    assert await store.session("ann").get_items() == [2]
    found = await database.execute("PRAGMA foreign_key_check")
    assert found == []
    assert await store.upgrade() is False


async def test_the_collation_that_compares_bytes_is_taken(database):
    await make(database, agent_sessions="TEXT COLLATE BINARY", agent_messages="TEXT")
    await database.store().session("Ann").add_items([1])
    assert await database.store().session("ann").get_items() == []
