"""The command line: whatever is typed, it says what to do, shows no secrets and loses no rows."""

from __future__ import annotations

import asyncio
import base64
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from random import Random

from fuzzing import command_lines, golden, leaks, shell, tables
from fuzzing.cases import Case
from fuzzing.command_lines import SEALED
from fuzzing.command_values import PASSWORD, URL
from fuzzing.findings import WRONG, Finding
from fuzzing.good_rows import NEIGHBOUR, good, good_item
from fuzzing.sealing import CONTEXT, KEYS, NAMESPACE
from fuzzing.tables import OTHER, TIME
from strongroom import Ledger, SessionStore

_SPEC = "orjson+aesgcm"
_BOUND = 8 << 20
_SHOWING = {"show", "export"}
"""The commands that print items."""
_REMOVING = {"delete"}
_CHANGING = {"recode", "import", "delete", "upgrade", "copy", "ledger"}
_SECRETS = frozenset(text for key in KEYS for text in leaks.spellings(key))


class Commands:
    """Command lines in a folder with two databases, key files and an export."""

    name = "commands"

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="strongroom-fuzz-"))
        self._made = self._home / "made"
        self._made.mkdir()
        asyncio.run(_fill(self._made))
        for name, keys in (("keys", KEYS[:2]), ("ledger-keys", KEYS[:1])):
            lines = [base64.urlsafe_b64encode(key).decode() for key in keys]
            (self._made / name).write_text("\n".join(lines) + "\n", "ascii")
            (self._made / name).chmod(0o600)
        self._folder = self._home / "tried"
        for arguments in (
            ["stats"],
            ["compare", "--rows", "1", *SEALED],
            ["show", CONTEXT, *SEALED],
        ):
            self.run({"arguments": arguments, "stdin": ""})  # what is imported once is no growth

    def generate(self, rng: Random) -> Case:
        """Return a command line, and what it reads from its standard input."""
        return {"arguments": command_lines.arguments(rng), "stdin": command_lines.stdin(rng)}

    def run(self, case: Case) -> str:
        """Run the command in a fresh folder, and look at what it said and left."""
        arguments = case["arguments"]
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(self._made, self._folder)
        before = _rows(self._folder)
        done = shell.run(self._folder, arguments, stdin=case["stdin"], env={"STRONGROOM_URL": URL})
        command = arguments[0] if arguments else ""
        hidden = [PASSWORD] if command in _SHOWING else [PASSWORD, NEIGHBOUR]
        shell.check(done, arguments, _SECRETS, hidden)
        if NEIGHBOUR in done.stderr:
            raise Finding(WRONG, f"{command} showed an item among its errors", ["stderr"])
        after = _rows(self._folder)
        if command not in _CHANGING and after != before:
            raise Finding(WRONG, f"{command} changed rows", [f"{command} changed rows"])
        if command not in _REMOVING and not _ids(before) <= _ids(after):
            raise Finding(WRONG, f"{command} lost rows", [f"{command} lost rows"])
        return f"{command if command in _NAMES else 'none'}: {done.code}"

    def max_size(self, case: Case) -> int:
        """Return a bound for the memory of a case."""
        return _BOUND

    def close(self) -> None:
        """Remove the folders."""
        shutil.rmtree(self._home)


_NAMES = (
    _SHOWING | _CHANGING | {"keygen", "keys", "sessions", "inspect", "stats", "verify", "compare"}
)


async def _fill(folder: Path) -> None:
    """Make the databases: a plain one with a bad row, and one with a ledger; and an export."""
    options = {"codec": _SPEC, "keys": golden.ring(*KEYS[:2]), "namespace": NAMESPACE}
    async with SessionStore.from_url(
        f"sqlite+aiosqlite:///{folder / 'memory.db'}", create_tables=True, **options
    ) as store:
        await store.create_tables()
        values = [good(_SPEC, "text", CONTEXT, n) for n in range(3)]
        bad = [*values[:2], "waUBAgEA", values[2]]
        rows = [(n, value, TIME) for n, value in enumerate(bad, 1)]
        other = [(n, good(_SPEC, "text", OTHER, n), TIME) for n in (101, 102)]
        await tables.fill(store, [{"id": CONTEXT, "rows": rows}, {"id": OTHER, "rows": other}])
        lines = [line async for line in store.export_items(OTHER)]
        (folder / "lines.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    ledger = Ledger(golden.ring(KEYS[0]))
    async with SessionStore.from_url(
        f"sqlite+aiosqlite:///{folder / 'ledgered.db'}",
        create_tables=True,
        ledger=ledger,
        **options,
    ) as store:
        await store.session(CONTEXT).add_items([good_item(n) for n in range(3)])


def _rows(folder: Path) -> list[tuple[int, str, object]]:
    with closing(sqlite3.connect(folder / "memory.db")) as connection:
        found = connection.execute("SELECT id, session_id, message_data FROM agent_messages")
        return found.fetchall()


def _ids(rows: list[tuple[int, str, object]]) -> set[tuple[int, str]]:
    return {row[:2] for row in rows}
