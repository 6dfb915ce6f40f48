"""Commands that take no codec, on a store with a ledger."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from commandline import ITEMS, SEALED

from strongroom import Keyring, Ledger


def test_what_needs_no_codec_knows_of_a_ledger(filled):
    filled("keygen", "ledger-keys")
    keys = ("--ledger-key-file", "ledger-keys")
    filled("ledger", "adopt", *SEALED, *keys, "--yes")
    for stored in json.loads(filled("inspect", "user-123", "--json").stdout)["rows"]:
        assert (stored["linked"], stored["spec"]) == (True, "json+aesgcm")
    assert json.loads(filled("stats", "--json").stdout)["formats"] == {"json+aesgcm": 6}
    filled.add("user-4", ITEMS[:1], ledger=Ledger(Keyring.from_file(filled.folder / "ledger-keys")))
    assert "1 session" in filled("delete", "trial-1", "--yes", *keys).stdout
    later = ("--updated-before", "2999-01-01", "--yes", *keys)
    with closing(sqlite3.connect(filled.folder / "memory.db")) as connection, connection:
        connection.execute("UPDATE agent_sessions_heads SET head = 'x' WHERE session_id = 'user-4'")
    refused = filled("delete", *later, code=1)
    assert "Sessions deleted: 1; refused, and still there: 1." in refused.stderr
    assert "HistoryTamperedError: " in refused.stderr
    listed = json.loads(filled("sessions", "--json").stdout)["sessions"]
    assert [session["session_id"] for session in listed] == ["user-4"]
    filled("ledger", "reset", "user-4", *SEALED, *keys, "--yes")
    assert "1 session" in filled("delete", *later).stdout
    filled("verify", *SEALED, *keys)


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
@pytest.mark.parametrize("those", [("user-123",), ("--updated-before", "2999-01-01")])
def test_nothing_is_deleted_without_the_ledger_of_the_store(served, those):
    served("keygen", "ledger-keys")
    keys = ("--ledger-key-file", "ledger-keys")
    served("ledger", "adopt", *SEALED, *keys, "--yes")
    refused = served("delete", *those, "--yes", code=3)
    assert refused.stdout == ""
    assert "This store has a ledger: give its keys with --ledger-key-file." in refused.stderr
    served("verify", *SEALED, *keys)
    assert len(json.loads(served("sessions", "--json").stdout)["sessions"]) == 2
    served("delete", *those, "--yes", *keys)
