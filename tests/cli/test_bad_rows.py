"""A row that cannot be read is reported, and stops no command on a whole store."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from commandline import ITEMS, SEALED

from strongroom import Key, Keyring

TORN = "CAST(x'ff41' AS TEXT)"
EDITS = {
    "an empty value": "UPDATE agent_messages SET message_data = '' WHERE id = 6",
    "a number": "UPDATE agent_messages SET message_data = 7 WHERE id = 6",
    "a session id that is no UTF-8": f"UPDATE agent_messages SET session_id = {TORN} WHERE id = 6",
    "a time that is no UTF-8": f"UPDATE agent_messages SET created_at = {TORN} WHERE id = 6",
    "a session's time that is no UTF-8": (
        f"UPDATE agent_sessions SET updated_at = {TORN} WHERE session_id = 'trial-1'"
    ),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_no_row_ends_a_command_for_the_others(filled, edit):
    with closing(sqlite3.connect(filled.folder / "memory.db")) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(edit)
    new = Key.generate()
    keys = filled.folder / "keys"
    keys.write_text(f"{new.to_base64()}\n{Keyring.from_file(keys).primary.to_base64()}\n")
    for command in (["verify", *SEALED], ["recode", *SEALED]):
        code = ends(filled, *command)
        assert code in {0, 1}, command
    lines = filled("export", *SEALED, "--skip").stdout.splitlines()
    records = [json.loads(line) for line in lines]
    assert [r["item"] for r in records if r["session_id"] == "user-123"] == ITEMS
    stats = json.loads(filled("stats", "--json").stdout)
    assert stats["key_ids"][new.id] >= len(ITEMS)
    listed = json.loads(filled("sessions", "--json").stdout)["sessions"]
    assert "user-123" in [session["session_id"] for session in listed]
    assert "1 session" in filled("delete", "user-123", "--yes").stdout


def ends(filled, *command):
    """Run a command that may or may not find something; return its exit code."""
    try:
        filled(*command)
    except AssertionError:
        filled(*command, code=1)
        return 1
    return 0
