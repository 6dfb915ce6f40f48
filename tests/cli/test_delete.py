"""One session that cannot be deleted does not keep the others."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from commandline import SEALED

from strongroom import SessionStore

LEDGER = ("--ledger-key-file", "ledger-keys")


def left(filled):
    listed = json.loads(filled("sessions", "--json").stdout)["sessions"]
    return [session["session_id"] for session in listed]


def test_a_history_that_was_changed_stays_and_the_others_go(filled):
    filled("keygen", "ledger-keys")
    filled("ledger", "adopt", *SEALED, *LEDGER, "--yes")
    with closing(sqlite3.connect(filled.folder / "memory.db")) as connection, connection:
        connection.execute(
            "UPDATE agent_sessions_heads SET head = 'x' WHERE session_id = 'trial-1'"
        )
    done = filled("delete", "nobody", "trial-1", "user-123", "--yes", *LEDGER, code=1)
    assert "Deleted 1 session." in done.stdout
    assert "There is no session 'nobody'." in done.stderr
    assert "'trial-1' was not deleted: HistoryTamperedError" in done.stderr
    assert left(filled) == ["trial-1"]


def test_an_id_that_no_session_can_have_is_refused_and_the_others_go(filled):
    done = filled("delete", "", "user-123", "--yes", code=2)
    assert "Deleted 1 session." in done.stdout
    assert left(filled) == ["trial-1"]


def test_an_error_that_nobody_knows_is_told_by_its_code_and_the_others_go(filled, monkeypatch):
    real = SessionStore.delete_session

    async def delete_session(store, session_id):
        if session_id == "trial-1":
            raise TypeError("My train leaves at nine.")
        return await real(store, session_id)

    monkeypatch.setattr(SessionStore, "delete_session", delete_session)
    done = filled("delete", "trial-1", "user-123", "--yes", code=70)
    assert "'trial-1' was not deleted: An error that strongroom does not know" in done.stderr
    assert "My train" not in done.stderr
    assert left(filled) == ["trial-1"]
    assert "Traceback" in filled("delete", "trial-1", "--yes", "--debug", code=70).stderr


@pytest.mark.parametrize("error", [ConnectionRefusedError(111, "refused"), OSError("no route")])
def test_a_database_that_is_gone_ends_the_command(filled, monkeypatch, error):
    asked = []

    async def delete_session(store, session_id):
        asked.append(session_id)
        raise error

    monkeypatch.setattr(SessionStore, "delete_session", delete_session)
    filled("delete", "trial-1", "user-123", "--yes", code=4)
    assert asked == ["trial-1"]
