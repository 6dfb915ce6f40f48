"""A failure is told in a line or two, with an exit code, and without a secret."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
import os
import pty
import re
import shutil
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


def on_a_terminal(filled, *arguments, columns=80, **env):
    """Run a command with standard output and error on a terminal; return what it wrote."""
    leader, follower = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "strongroom.cli", *arguments],
        cwd=filled.folder,
        env=filled.env | {"TERM": "xterm", "COLUMNS": str(columns)} | env,
        stdout=follower,
        stderr=follower,
        stdin=follower,
    )
    os.close(follower)
    output = b""
    while True:
        try:
            data = os.read(leader, 65536)
        except OSError:
            break
        if not data:
            break
        output += data
    os.close(leader)
    assert done.wait(60) == 0, output
    return output.decode()


@pytest.mark.parametrize("columns", [80, 40, 24])
def test_a_bar_is_drawn_within_the_width_of_the_terminal(filled, columns):
    drawn = on_a_terminal(filled, "verify", *SEALED, columns=columns)
    assert "\x1b[" in drawn
    visible = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    assert "verify" in visible
    assert max(len(line.strip("\r")) for line in re.split(r"[\r\n]+", visible)) <= columns


@pytest.mark.slow
def test_a_bar_shows_rate_and_time_left(filled):
    filled.add("more", [{"n": n} for n in range(500)])
    for spec, columns, figures in (
        ("json+fernet", 80, r"\d/506 rows  \d+/s  0:0\d left"),
        ("msgpack+fernet", 40, r"\d%  0:0\d left"),
    ):
        command = ("recode", "--codec", spec, *SEALED[2:], "--accept", "aesgcm")
        paced = (*command, "--rows-per-second", "300")
        assert re.search(figures, on_a_terminal(filled, *paced, columns=columns))


@pytest.mark.slow
def test_an_export_has_a_bar_only_where_its_lines_go_to_a_file(filled):
    drawn = on_a_terminal(filled, "export", *SEALED, "-o", "all.jsonl")
    assert "6/6 items" in drawn
    printed = on_a_terminal(filled, "export", *SEALED)
    assert printed.replace("\r\n", "\n") == (filled.folder / "all.jsonl").read_text()
    drawn = on_a_terminal(filled, "export", "user-123", *SEALED, "-o", "one.jsonl")
    assert "5/5 items" in drawn
    assert "6/6 items" in filled("export", *SEALED, "-o", "piped.jsonl").stderr
    assert filled("export", *SEALED).stderr == ""


def test_an_export_counts_rows_only_where_that_is_told(filled, monkeypatch):
    def count(*arguments):
        pytest.fail("rows were counted")

    monkeypatch.setattr("strongroom.sql.dialects.base.store.StoreStatements.count_rows", count)
    monkeypatch.setattr("strongroom.sql.dialects.base.session.SessionStatements.count", count)
    assert filled("export", *SEALED).stdout.count("\n") == 6
    assert filled("export", "user-123", *SEALED).stdout.count("\n") == 5


def test_no_color_is_respected(filled):
    colour = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    assert colour.search(on_a_terminal(filled, "show", "user-123", *SEALED))
    assert not colour.search(on_a_terminal(filled, "show", "user-123", *SEALED, NO_COLOR="1"))


def test_a_dumb_terminal_gets_plain_lines(filled):
    assert "\x1b" not in on_a_terminal(filled, "verify", *SEALED, TERM="dumb")


def test_help_teaches_with_examples_and_loads_little():
    assert shutil.which("bash")
    from strongroom.cli.app import COMMANDS
    from strongroom.cli.run import run

    for command in COMMANDS:
        assert "Examples:" in (command.__doc__ or ""), command.__name__
        assert run([command.__name__.rstrip("_"), "--help"]) == 0
    program = (
        "import sys; from strongroom.cli import main; main(['recode', '--help'])\n"
        "sys.exit(any(n in {'cryptography', 'rich.progress', 'sqlalchemy'} "
        "or n.startswith('strongroom.maintenance') for n in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


def test_examples_of_the_help_fit_a_terminal_of_80_columns(strongroom_):
    from strongroom.cli.app import COMMANDS, LEDGER_COMMANDS

    named = [(command.__name__.rstrip("_"),) for command in COMMANDS]
    named += [("ledger", command.__name__) for command in LEDGER_COMMANDS]
    for command, words in zip((*COMMANDS, *LEDGER_COMMANDS), named, strict=True):
        printed = strongroom_(*words, "--help", COLUMNS="80").stdout.splitlines()
        assert max(map(len, printed)) <= 80
        examples = inspect.cleandoc(command.__doc__ or "").partition("Examples:\n")[2]
        for line in examples.splitlines():
            assert f"  {line}" in printed, words


def test_usage_has_one_pair_of_brackets_at_most_around_an_argument(strongroom_):
    for command in ("export", "inspect", "delete"):
        usage = strongroom_(command, "--help", COLUMNS="80").stdout.splitlines()[0]
        assert "SESSION" in usage
        assert "[[" not in usage


def test_a_reason_names_options_and_not_python_arguments(filled):
    filled.add("plain", ITEMS[:1], codec="json", keys=None)
    for command in (("verify",), ("verify", "--json"), ("show", "plain")):
        said = " ".join(filled(*command, *SEALED, code=1).stdout.split())
        assert "--accept plaintext" in said
        assert "accept=(" not in said
