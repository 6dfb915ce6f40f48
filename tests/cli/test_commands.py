"""Each command does its work; those that read or change a store, on servers too."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from commandline import ITEMS, SEALED

pytestmark = pytest.mark.databases(
    "sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",)
)

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


def test_every_command_of_the_docs_runs(filled):
    env = {}
    commands = []
    for block in re.findall(r"^```bash\n(.*?)^```$", DOCS.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").partition("=")
                env[name] = value
            elif line.startswith("strongroom "):
                commands.append(line.split()[1:])
    assert {words[0] for words in commands} >= {
        "keygen", "keys", "sessions", "show", "inspect", "verify", "recode", "copy", "export",
        "import", "delete", "upgrade", "stats", "compare", "ledger",
    }  # fmt: skip
    for words in commands:
        done = filled(*words, **env)
        if "--json" in words:
            json.loads(done.stdout)


def test_keygen_makes_a_file_for_its_owner_only_and_never_overwrites(strongroom_):
    made = strongroom_("keygen", "new")
    path = strongroom_.folder / "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    strongroom_("keygen", "new", code=1)
    assert path.read_bytes() == before
    listed = json.loads(strongroom_("keys", "--key-file", "new", "--json").stdout)
    assert listed == {"primary": made.stdout.strip(), "others": []}


def test_keys_are_added_put_first_and_dropped(strongroom_):
    first = strongroom_("keygen", "new").stdout.strip()
    second = strongroom_("keygen", "new", "--add").stdout.strip()
    third = strongroom_("keygen", "new", "--add", "--primary").stdout.strip()

    def listed(*arguments, code=0):
        return json.loads(strongroom_("keys", "--key-file", "new", "--json", *arguments).stdout)

    assert listed() == {"primary": third, "others": [first, second]}
    assert listed("--primary", second) == {"primary": second, "others": [third, first]}
    assert listed("--drop", third, "--yes") == {"primary": second, "others": [first]}
    strongroom_("keys", "--key-file", "new", "--drop", second, "--yes", code=1)
    strongroom_("keys", "--key-file", "new", "--drop", first, code=2)  # nobody to ask
    assert listed() == {"primary": second, "others": [first]}
    assert stat.S_IMODE((strongroom_.folder / "new").stat().st_mode) == 0o600


def test_sessions_are_listed_in_pages(served):
    page = json.loads(served("sessions", "--limit", "1", "--json").stdout)
    assert [s["session_id"] for s in page["sessions"]] == ["trial-1"]
    rest = json.loads(served("sessions", "--after", page["next"], "--json").stdout)
    assert [(s["session_id"], s["items"]) for s in rest["sessions"]] == [("user-123", 5)]
    assert rest["next"] is None


def test_show_renders_roles_tools_and_folds_long_texts(served):
    shown = served("show", "user-123", *SEALED).stdout
    for text in (
        "user",
        "My train",
        "tool call  get_weather",
        '"city"',
        "reasoning",
        "no umbrella",
    ):
        assert text in shown
    assert shown.count("sun\n") == 12
    assert "more characters (--full shows it)" in shown
    assert served("show", "user-123", "--full", *SEALED).stdout.count("sun\n") == 400
    last = json.loads(served("show", "user-123", "--last", "2", "--json", *SEALED).stdout)
    assert [row["item"] for row in last["rows"]] == ITEMS[-2:]


def test_show_says_which_rows_do_not_open(served):
    served.add("user-123", [{"role": "user", "content": "in the clear"}], codec="json", keys=None)
    shown = served("show", "user-123", *SEALED, code=1).stdout
    assert "My train" in shown
    assert "PlaintextRefusedError" in shown
    assert "in the clear" not in shown


def test_nothing_that_was_said_reaches_the_terminal_as_a_command(served):
    evil = "\x1b]0;owned\x07\x9b31m\u202e\x7f\r[red]not markup[/red] :smile:"
    items = [
        {"role": evil, "content": evil},
        {"type": "function_call", "name": evil, "call_id": evil, "arguments": evil},
        {"type": evil, evil: [evil]},
        [evil],
        evil,
    ]
    served.add(f"s{evil}", items)  # the fixture checks that all output is printable
    shown = served("show", f"s{evil}", *SEALED).stdout
    assert "[red]not markup[/red] :smile:" in shown
    assert "\\x1b]0;owned" in shown
    for command in (["sessions"], ["inspect", f"s{evil}"], ["delete", "--yes", f"s{evil}"]):
        served(*command)
    gone = served("show", f"s{evil}", *SEALED, code=1)
    assert "[red]not markup[/red] :smile:" in gone.stderr


def test_inspect_and_stats_need_no_key(served):
    rows = json.loads(served("inspect", "user-123", "--json").stdout)["rows"]
    assert {(row["spec"], row["key_id"]) for row in rows} == {("json+aesgcm", served.key.id)}
    stats = json.loads(served("stats", "--json").stdout)
    assert (stats["sessions"], stats["rows"], stats["key_ids"]) == (2, 6, {served.key.id: 6})
    told = served("inspect", "--stdin", "--json", stdin='{"a": 1}\nwaUB\n').stdout
    assert [row["spec"] for row in json.loads(told)["rows"]] == ["json", "damaged"]


def test_verify_lists_what_does_not_open(served):
    assert json.loads(served("verify", "--json", *SEALED).stdout)["ok"] is True
    served.add("plain", ITEMS[:2], codec="json", keys=None)
    report = json.loads(served("verify", "--json", *SEALED, code=1).stdout)
    assert [failure["session_id"] for failure in report["failures"]] == ["plain"] * 2
    assert "PlaintextRefusedError" in served("verify", *SEALED, code=1).stdout
    served("verify", *SEALED, "--accept", "plaintext")


def test_recode_seals_and_a_second_run_finds_nothing(served):
    served.add("plain", ITEMS, codec="json", keys=None)
    command = ("recode", *SEALED, "--accept", "plaintext", "--json")
    assert json.loads(served(*command, "--dry-run").stdout)["recoded"] == 5
    assert json.loads(served(*command).stdout)["recoded"] == 5
    assert json.loads(served(*command).stdout)["recoded"] == 0
    served("verify", *SEALED)


def test_copy_compares_and_a_difference_is_exit_code_1(served):
    command = ("copy", *SEALED, "--to-url", "sqlite+aiosqlite:///other.db", "--json")
    first = json.loads(served(*command, "--to-codec", "msgpack+fernet").stdout)
    assert (first["ok"], first["copied"]) == (True, 6)
    assert json.loads(served(*command, "--to-codec", "msgpack+fernet").stdout)["copied"] == 0
    there = ("--url", "sqlite+aiosqlite:///other.db", "--codec", "msgpack+fernet")
    strange = '{"session_id": "trial-1", "created_at": null, "item": {"n": 1}}\n'
    served("import", "-", "--append", "--key-file", "keys", *there, stdin=strange)
    report = json.loads(served(*command, "--to-codec", "msgpack+fernet", code=1).stdout)
    assert [m["session_id"] for m in report["mismatches"]] == ["trial-1"]
    served("copy", *SEALED, code=2)


def test_copy_goes_into_tables_of_the_same_database_and_back_from_another(served):
    there = ("--sessions-table", "s2", "--messages-table", "m2")
    to_there = ("--to-sessions-table", "s2", "--to-messages-table", "m2")
    served("copy", *SEALED, "--to-url", "sqlite+aiosqlite:///other.db")
    served("delete", "user-123", "--yes")
    other = ("--url", "sqlite+aiosqlite:///other.db", "--to-url", served.url)
    report = json.loads(served("copy", *SEALED, *other, "--json").stdout)
    assert (report["ok"], report["copied"], report["rows"]) == (True, 5, 6)
    served("copy", *SEALED, *to_there, "--to-codec", "msgpack+zlib+fernet")
    codec = ("--codec", "msgpack+zlib+fernet", "--key-file", "keys")
    shown = json.loads(served("show", "user-123", "--json", *codec, *there).stdout)
    assert [row["item"] for row in shown["rows"]] == ITEMS


async def test_upgrade_adds_the_index_that_is_missing(database, served):
    if database.dialect == "mysql":  # its foreign key needs one
        await database.execute("ALTER TABLE agent_messages ADD INDEX their_own (session_id)")
    where = " ON agent_messages" if database.dialect == "mysql" else ""
    await database.execute(f"DROP INDEX idx_agent_messages_session_id{where}")
    assert "Added" in (await asyncio.to_thread(served, "upgrade")).stdout
    assert "Nothing to do" in (await asyncio.to_thread(served, "upgrade")).stdout


def test_export_and_import_go_round(served):
    served("export", *SEALED, "-o", "all.jsonl")
    path = served.folder / "all.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    served("export", *SEALED, "-o", "all.jsonl", code=1)
    there = ("--url", "sqlite+aiosqlite:///b.db", "--codec", "json")
    assert "6 items" in served("import", "all.jsonl", "--create-tables", *there).stdout
    assert "0 items" in served("import", "all.jsonl", *there).stdout
    assert served("export", *there).stdout == path.read_text()
    served("delete", "user-123", "--yes")
    assert "5 items" in served("import", "all.jsonl", *SEALED).stdout
    assert served("export", *SEALED).stdout == path.read_text()


def test_delete_asks_and_deletes(served):
    served("delete", "trial-1", code=2)
    assert "1 session" in served("delete", "trial-1", "--yes").stdout
    served("delete", "trial-1", "--yes", code=1)
    assert "0 sessions" in served("delete", "--updated-before", "1d", "--yes").stdout
    later = ("--updated-before", "2999-01-01", "--prefix", "user-")
    assert "1 session" in served("delete", *later, "--yes").stdout
    assert json.loads(served("sessions", "--json").stdout)["sessions"] == []


def test_compare_measures_every_codec(filled):
    report = json.loads(filled("compare", *SEALED, "--rows", "4", "--json").stdout)
    assert report["items"] == 4
    figures = {codec["spec"]: codec for codec in report["codecs"]}
    assert len(figures) + len(report["left_out"]) == 27
    assert figures["json"]["ratio"] == 1.0
    assert figures["json"]["bytes"] < figures["json+aesgcm"]["bytes"]
    assert all(codec["encode_us"] > 0 < codec["decode_us"] for codec in report["codecs"])
    assert " * " in filled("compare", *SEALED, "--rows", "4").stdout


def test_a_ledger_is_turned_on_and_on_again(filled):
    filled("keygen", "ledger-keys")
    ledger = (*SEALED, "--ledger-key-file", "ledger-keys")
    filled("ledger", "adopt", *ledger, code=2)  # nobody to ask
    report = json.loads(filled("ledger", "adopt", *ledger, "--yes", "--json").stdout)
    assert (report["ok"], report["adopted"], report["rows"]) == (True, 2, 6)
    filled("verify", *ledger)
    assert "no umbrella" in filled("show", "user-123", *ledger).stdout
    row = json.loads(filled("inspect", "trial-1", "--json").stdout)["rows"][0]
    assert (row["linked"], row["spec"]) == (True, "json+aesgcm")
    with closing(sqlite3.connect(filled.folder / "memory.db")) as connection, connection:
        connection.execute("DELETE FROM agent_messages WHERE id = 2")
    filled("verify", *ledger, code=1)
    assert "HistoryTamperedError" in filled("show", "user-123", *ledger, code=1).stderr
    found = json.loads(filled("ledger", "reset", "user-123", *ledger, "--yes", "--json").stdout)
    assert (found["rows"], bool(found["problem"])) == (4, True)
    filled("verify", *ledger)
    filled("ledger", "reset", "nobody", *ledger, "--yes", code=1)
    filled("verify", *ledger, "--witness", "nowhere", code=3)
