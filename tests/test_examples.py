"""The examples run, and what they show is so."""

from __future__ import annotations

import functools
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

# Each codec is shown once, and looked at by several tests of one worker.
pytestmark = pytest.mark.xdist_group("agent memory")

LONGEST = pytest.param("msgpack+zstd+aesgcm", marks=pytest.mark.slow)
EXAMPLE = Path(__file__).parents[1] / "examples" / "agent_memory.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in os.environ if name != "OPENAI_API_KEY"}
    return subprocess.run(
        [sys.executable, str(EXAMPLE), *arguments],
        capture_output=True,
        text=True,
        env=environment | {"PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
        timeout=120,
        check=False,
    )


@functools.cache
def shown(codec: str) -> subprocess.CompletedProcess[str]:
    return run("--codec", codec)


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["json", "orjson+fernet", LONGEST])
def test_agent_memory_continues_in_a_second_process(codec: str) -> None:
    result = shown(codec)
    assert (result.returncode, result.stderr) == (0, "")
    processes = re.findall(r"Process (\d+)", result.stdout)
    assert len(set(processes)) == 2
    assert 'calls find_hotel({"city":"Lisbon","nights":3})' in result.stdout
    assert "You told\n          me: I am allergic to peanuts." in result.stdout
    assert "8 items read back" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("codec", ["orjson+fernet", LONGEST])
def test_agent_memory_shows_what_encryption_promises(codec: str) -> None:
    output = shown(codec).stdout
    assert re.search(r"memory\.db-wal \([\d,]+ bytes\) hold none of\s+the 6 things said", output)
    assert "Another key opens nothing: UnknownKeyError" in output
    assert "altered character in row 4 is noticed: AuthenticationError" in output
    assert re.search(r"Rotated: 8 rows under key \S{12} still open", output)
    assert "  row 8   " in output
    assert "waUB" in output


def test_agent_memory_says_that_json_hides_nothing() -> None:
    output = shown("json").stdout
    assert '  row 1   json {"content":"I am Ada Okafor.' in output
    assert "whoever has the file has the conversation" in output


@pytest.mark.slow
def test_agent_memory_keeps_a_named_file_and_its_keys_to_itself(tmp_path: Path) -> None:
    db = tmp_path / "kept.db"
    assert run("--db", str(db)).returncode == 0
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("SELECT count(*) FROM agent_messages").fetchone() == (9,)
    keys = tmp_path / "kept.keys"
    assert keys.stat().st_mode & 0o777 == 0o600
    assert len(keys.read_text().split()) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"kept.db", "kept.keys"}


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("--codec", "nope"), ("--db", __file__)])
def test_agent_memory_refuses_in_one_line(arguments: tuple[str, str]) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
