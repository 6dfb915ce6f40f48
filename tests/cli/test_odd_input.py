"""Odd values on the command line are refused in a line, with an exit code that is not 70."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import ITEMS, SEALED

TORN = "\udc80"
"""A byte of an argument that is no UTF-8, as Python has it."""
NOWHERE = "postgresql+asyncpg://app@127.0.0.1:1/agents"


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (["sessions", "--after", TORN], 2, "The value of after is no UTF-8"),
        (["show", TORN, *SEALED], 2, "The value of session is no UTF-8"),
        (["verify", *SEALED, "--sessions-table", TORN], 2, "sessions-table is no UTF-8"),
        (["sessions", "--limit", "9" * 30], 2, "--limit"),
        (["sessions", "--updated-before", "0001-01-01T00:00+14:00"], 2, "is no time"),
        (["delete", "--updated-before", "9999-12-31T23:59:59-14:00"], 2, "is no time"),
        (["verify", *SEALED, "--sessions-table", "agent_messages"], 3, "name two tables"),
        (["verify", *SEALED, "--messages-table", "agent_sessions_heads"], 3, "name two tables"),
        (["recode", *SEALED, "--rows-per-second", "0"], 2, "--rows-per-second is above 0"),
        (["recode", *SEALED, "--rows-per-second", "nan"], 2, "--rows-per-second is above 0"),
        (["stats", "--url", NOWHERE.replace(":1/", ":99999/")], 3, "cannot be parsed"),
        (["stats", "--url", f"{NOWHERE}?nonsense=1"], 3, "its driver lacks: nonsense"),
        (["stats", "--url", "mysql+aiomysql://app@127.0.0.1:1/x?nonsense=1"], 3, "nonsense"),
        (["compare", "--file", "bad.jsonl"], 3, "Line 1 is not JSON"),
        (["verify", *SEALED, "--witness-id", "0" * 32], 2, "--witness-id goes with --witness"),
        (["verify", *SEALED, "--witness", "w"], 3, "needs the ledger's keys"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else None,
)
def test_an_odd_value_is_refused(filled, command, code, says):
    (filled.folder / "bad.jsonl").write_bytes(b"\xff\xfe\n")
    assert says in filled(*command, code=code).stderr


def test_a_driver_in_a_folder_called_strongroom_is_not_ours(filled, monkeypatch):
    program = "def connect(**options): raise TypeError(\"unexpected keyword argument 'nonsense'\")"
    driver = {}
    exec(compile(program, "/home/ada/strongroom/.venv/asyncpg.py", "exec"), driver)
    monkeypatch.setattr("asyncpg.connect", driver["connect"])
    result = filled("stats", "--url", NOWHERE, code=3)
    assert "its driver lacks: nonsense" in result.stderr


def test_an_endless_rate_is_no_limit(filled):
    done = filled("recode", *SEALED, "--rows-per-second", "inf", "--json")
    assert json.loads(done.stdout)["ok"] is True


@pytest.mark.parametrize(
    "command",
    [["import", "-", "--create-tables"], ["recode", "--accept", "aesgcm", "--key-file", "keys"]],
)
def test_an_empty_codec_writes_no_plaintext(filled, command):
    line = '{"session_id": "s", "created_at": null, "item": {"n": 1}}\n'
    filled(*command, "--codec", "", stdin=line, code=2)
    assert set(json.loads(filled("stats", "--json").stdout)["formats"]) == {"json+aesgcm"}


def test_an_empty_prefix_deletes_nothing(filled):
    refused = filled("delete", "--updated-before", "2999-01-01", "--prefix", "", "--yes", code=2)
    assert "--prefix is empty" in refused.stderr
    assert len(json.loads(filled("sessions", "--json").stdout)["sessions"]) == 2


def test_a_note_names_options_and_not_python_arguments(filled):
    filled.add("plain", ITEMS[:1], codec="json", keys=None)
    said = filled("export", *SEALED, "--skip").stderr
    assert "--accept plaintext" in said
    assert "accept=(" not in said


def run(filled, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "strongroom.cli", *arguments],
        env=filled.env | {"PYTHONIOENCODING": "utf-8:strict"},
        cwd=filled.folder,
        capture_output=True,
        check=False,
        **options,
    )


def test_standard_input_may_be_any_bytes(filled):
    described = run(filled, "inspect", "--stdin", "--json", input=b'\xff\xfe\n{"a": 1}\n')
    assert described.returncode == 0, described.stderr
    rows = json.loads(described.stdout)["rows"]
    assert [row["spec"] for row in rows] == ["unknown", "json"]
    refused = run(filled, "import", "-", *SEALED, input=b"\xff\xfe\n")
    assert refused.returncode == 1
    assert b"Line 1 is no line of an export" in refused.stderr


def test_a_database_file_that_cannot_be_opened_is_told_in_a_line(filled):
    Path(filled.folder, "folder").mkdir()
    done = run(filled, "stats", "--url", "sqlite+aiosqlite:///folder")
    assert done.returncode == 4
    assert b"unable to open database file" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_witness_is_made_once_and_told_from_another(filled):
    filled("keygen", "ledger-keys")
    keys = ("--ledger-key-file", "ledger-keys")
    missing = filled("ledger", "adopt", *SEALED, *keys, "--witness", "w", "--yes", code=3)
    assert "`strongroom ledger witness FOLDER` makes one" in missing.stderr
    witness_id = filled("ledger", "witness", "w").stdout.strip()
    assert "was not changed" in filled("ledger", "witness", "w", code=3).stderr
    witness = ("--witness", "w", "--witness-id", witness_id)
    filled("ledger", "adopt", *SEALED, *keys, *witness, "--yes")
    filled("verify", *SEALED, *keys, *witness)
    filled("ledger", "witness", "other")
    other = ("--witness", "other", "--witness-id", witness_id)
    assert "has the id" in filled("verify", *SEALED, *keys, *other, code=3).stderr
    alone = filled("verify", *SEALED, *keys, "--witness-id", witness_id, code=2)
    assert "--witness-id goes with --witness" in alone.stderr
