"""On a terminal the command line draws; elsewhere it prints plain lines."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest
from commandline import ITEMS, SEALED


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
        paced = (*command, "--rows-per-second", "150")
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


def test_a_bar_ends_full_where_rows_were_left_out(filled):
    filled.add("plain", ITEMS[:2], codec="json", keys=None)
    drawn = on_a_terminal(filled, "export", *SEALED, "--skip", "-o", "all.jsonl")
    last = re.findall(r"\d+/\d+ items[^\r\n]*", re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", drawn))[-1]
    assert last.startswith("6/6 items")
    assert "left" not in last
