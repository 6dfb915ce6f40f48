"""A failure is told in a line or two, with an exit code, and without a secret."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from commandline import ITEMS, PASSWORD, SEALED

from strongroom import Key
from strongroom.cli.errors import CommandError, explain, trace
from strongroom.cli.redaction import keep_secret
from strongroom.sql.dialects import registry

WRONG = "postgresql+asyncpg://app:p4ss-w0rd%21%2F%40@127.0.0.1:1/agents"
WRONG_MYSQL = WRONG.replace("postgresql+asyncpg", "mysql+aiomysql")


@pytest.mark.parametrize(
    ("command", "env", "code", "says"),
    [
        (["sessions"], {"STRONGROOM_URL": ""}, 3, "STRONGROOM_URL"),
        (["sessions", "--url", "nonsense"], {}, 3, "cannot be parsed"),
        (["sessions", "--url", "sqlite:///memory.db"], {}, 3, "sqlite+aiosqlite"),
        (["sessions", "--url", "sqlite+aiosqlite:///typo.db"], {}, 3, "no database file typo.db"),
        (["sessions", "--url", WRONG], {}, 4, "cannot be reached"),
        (["sessions", "--url", WRONG_MYSQL], {}, 4, "Can't connect"),
        (["sessions"], {"STRONGROOM_URL": f"postgresql://app:{PASSWORD}@h/x"}, 3, "URL"),
        (["stats", f"mysql://app:{PASSWORD}@h/x"], {}, 2, "argument"),
        (["sessions", "--messages-table", "none"], {}, 3, "There is no table 'none'"),
        (["sessions", "--column-type", "binary"], {}, 3, "--column-type text"),
        (["show", "user-123", "--codec", "orjson+aesgcm"], {}, 3, "--key-file"),
        (["show", "user-123", "--codec", "orjson+rot13"], {}, 3, "rot13"),
        (["show", "user-123", "--codec", "aesgcm", "--key-file", "keys"], {}, 3, "serializer"),
        (["show", "user-123", "--codec", "orjson+aesgcm", "--key-file", "no"], {}, 3, "no"),
        (["verify"], {"STRONGROOM_CODEC": "json+fernet", "STRONGROOM_KEYS": "x"}, 3, "Element 1"),
        (["show", "nobody", *SEALED], {}, 1, "no session 'nobody'"),
        (["recode"], {}, 2, "--codec"),
        (["recode", *SEALED, "--accept", "encrypted-session"], {}, 3, "STRONGROOM_MASTER_KEY"),
        (
            ["recode", *SEALED, "--accept", "encrypted-session"],
            {"STRONGROOM_MASTER_KEY": "m"},
            2,
            "--ttl",
        ),
        (["verify", "--accept", "fernet-token"], {}, 3, "STRONGROOM_FERNET_KEYS"),
        (["sessions", "--updated-before", "soon"], {}, 2, "'soon' is no time"),
        (["delete"], {}, 2, "--updated-before"),
        (["import", "no.jsonl", "--codec", "json"], {}, 3, "no.jsonl"),
        (["import", "-", "--codec", "json"], {}, 1, "Line 1"),
        (["nonsense"], {}, 2, "nonsense"),
        (["keys"], {}, 3, "STRONGROOM_KEYS"),
        (["keygen"], {}, 2, "FILE"),
    ],
)
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_bad_input(filled, command, env, code, says, debug):
    stdin = '{"session_id": 5}\n' if command[:2] == ["import", "-"] else None
    arguments = [*command, *(["--debug"] if debug and code != 2 else [])]
    done = filled(*arguments, code=code, stdin=stdin, **env)
    assert says in done.stderr
    assert not (filled.folder / "typo.db").exists()


def test_a_session_id_that_the_target_cannot_hold_is_named(filled, monkeypatch):
    narrow = dataclasses.replace(registry.SQLITE, session_id_bytes=7)
    monkeypatch.setattr(registry, "DATABASES", (narrow,))
    target = ("--to-url", f"sqlite+aiosqlite:///{filled.folder / 'other.db'}")
    refused = filled("copy", *SEALED, *target, code=1)
    assert "8 bytes" in refused.stderr
    assert "'user-123'" in refused.stderr
    assert "0 rows" in filled("stats", "--url", target[1]).stdout


def test_a_wrong_key_is_named_by_its_id_only(filled):
    other = filled.folder / "other"
    other.touch(mode=0o600)
    other.write_text(Key.generate().to_base64())
    wrong = ("--codec", "orjson+aesgcm", "--key-file", "other")
    assert "UnknownKeyError" in filled("show", "user-123", *wrong, code=1).stdout
    assert filled.key.id in filled("verify", *wrong, code=1).stdout
    before = (filled.folder / "memory.db").stat().st_size
    filled("recode", *wrong, code=1)
    assert (filled.folder / "memory.db").stat().st_size == before
    filled("verify", *SEALED)


def test_passwords_and_keys_are_taken_out_of_every_message(monkeypatch):
    key = Key.generate().to_base64()
    monkeypatch.setenv("STRONGROOM_KEYS", f"{key},other")
    keep_secret(PASSWORD)
    failure = CommandError(
        f"{PASSWORD} {quote(PASSWORD, safe='')} {key} x://a:{PASSWORD[:4]}@h \x1b"
    )
    assert explain(failure)[0] == "*** *** *** x://a:***@h \\x1b"
    assert PASSWORD not in trace(failure)


def test_debug_shows_no_values_of_statements(strongroom_):
    strongroom_("import", "-", "--codec", "json", "--create-tables", stdin="")
    with closing(sqlite3.connect(strongroom_.folder / "memory.db")) as connection, connection:
        connection.execute(
            "CREATE TRIGGER t BEFORE INSERT ON agent_messages BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    line = '{"session_id": "s", "created_at": null, "item": "said in confidence"}'
    done = strongroom_("import", "-", "--codec", "json", "--debug", stdin=line, code=4)
    assert "Traceback" in done.stderr
    assert "confidence" not in done.stderr


def test_a_key_file_that_others_can_read_is_refused(filled):
    (filled.folder / "keys").chmod(0o644)
    assert "chmod 600" in filled("verify", *SEALED, code=3).stderr
    filled("verify", *SEALED, "--any-mode")


def test_a_key_file_of_another_user_is_refused(filled, monkeypatch):
    if os.geteuid() == 0:
        os.chown(filled.folder / "keys", 12345, -1)
    else:  # only root can give a file away
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    refused = filled("verify", *SEALED, code=3).stderr
    assert "belongs to another user (uid" in refused
    assert "pass --any-mode" in refused
    filled("verify", *SEALED, "--any-mode")


def test_without_its_packages_the_command_prints_the_install_line(filled):
    program = (
        "import sys; sys.modules['typer'] = None\n"
        "from strongroom.cli import main; sys.exit(main(['stats']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=filled.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert 'pip install "strongroom[cli]"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told(filled):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "strongroom.cli", "export", *SEALED],
            cwd=filled.folder,
            env=filled.env,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 4, done.stderr
    assert "no room left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_enough_is_no_failure_to_tell(filled):
    filled.add("long", [{"n": n, "text": "x" * 500} for n in range(2000)])
    command = f"{sys.executable} -m strongroom.cli export {' '.join(SEALED)} | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=filled.folder,
        env=filled.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_a_second_run_finishes(filled):
    filled.add("plain", [{"n": n} for n in range(3000)], codec="json", keys=None)
    command = ["recode", *SEALED, "--accept", "plaintext"]
    process = subprocess.Popen(
        [sys.executable, "-m", "strongroom.cli", *command, "--rows-per-second", "100"],
        cwd=filled.folder,
        env=filled.env,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background ignore Ctrl-C, and what they start would, too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while json.loads(filled("stats", "--json").stdout)["formats"].get("json+aesgcm", 0) <= 6:
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in err
    assert "Traceback" not in err
    filled(*command)
    filled("verify", *SEALED)


@pytest.mark.databases("postgresql", "mysql-aiomysql", column_types=("text",))
async def test_a_server_is_used_and_its_failures_told(database, strongroom_):
    url = database.url.render_as_string(hide_password=False)
    await database.session(codec="json").add_items(ITEMS)
    nowhere = database.url.set(database="nowhere").render_as_string(hide_password=False)

    def use() -> None:
        assert "5 rows" in strongroom_("stats", "--url", url).stdout
        strongroom_("recode", *SEALED, "--accept", "plaintext", "--url", url)
        assert "no umbrella" in strongroom_("show", "s", *SEALED, "--url", url).stdout
        assert "nowhere" in strongroom_("stats", "--url", nowhere, code=4).stderr

    await asyncio.to_thread(use)  # a command has an event loop of its own


def test_a_reason_names_options_and_not_python_arguments(filled):
    filled.add("plain", ITEMS[:1], codec="json", keys=None)
    for command in (("verify",), ("verify", "--json"), ("show", "plain")):
        said = " ".join(filled(*command, *SEALED, code=1).stdout.split())
        assert "--accept plaintext" in said
        assert "accept=(" not in said
