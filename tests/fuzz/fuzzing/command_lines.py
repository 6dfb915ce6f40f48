"""Command lines: right ones, and what may go wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from fuzzing import documents, export_lines
from fuzzing.command_values import FLAGS, OPTIONS, PATH_OPTIONS, PATHS, TEXTS, VALUES
from fuzzing.sealing import CONTEXT
from fuzzing.tables import OTHER

SEALED = ("--codec", "orjson+aesgcm", "--key-file", "keys", "--namespace", "tenant-7")
_LEDGERED = (
    *SEALED,
    "--url",
    "sqlite+aiosqlite:///ledgered.db",
    "--ledger-key-file",
    "ledger-keys",
)

_RIGHT: tuple[tuple[str, ...], ...] = (
    ("keygen", "new-keys"),
    ("keygen", "keys", "--add"),
    ("keys", "--key-file", "keys"),
    ("sessions",),
    ("sessions", "--json", "--limit", "1"),
    ("sessions", "--updated-before", "30d", "--prefix", "user-"),
    ("show", CONTEXT, *SEALED),
    ("show", CONTEXT, "--json", "--last", "2", *SEALED),
    ("inspect", CONTEXT),
    ("inspect", "--stdin"),
    ("stats",),
    ("stats", "--json"),
    ("verify", *SEALED),
    ("verify", "--json", *SEALED),
    ("verify", *_LEDGERED),
    ("recode", *SEALED),
    ("recode", "--dry-run", "--accept", "plaintext", *SEALED),
    ("copy", "--to-url", "sqlite+aiosqlite:///copy.db", *SEALED),
    ("export", "-o", "new.jsonl", *SEALED),
    ("export", CONTEXT, "--skip", *SEALED),
    ("export", *_LEDGERED),
    ("import", "lines.jsonl", "--append", *SEALED),
    ("import", "-", "--codec", "json", "--url", "sqlite+aiosqlite:///new.db", "--create-tables"),
    ("delete", OTHER, "--yes"),
    ("delete", "--updated-before", "2026-01-01", "--prefix", "zz", "--yes"),
    ("upgrade",),
    ("compare", "--rows", "1", *SEALED),
    ("ledger", "adopt", "--yes", *_LEDGERED),
    ("ledger", "reset", CONTEXT, "--yes", *_LEDGERED),
    ("--version",),
)


def arguments(rng: Random) -> list[str]:
    """Return a command line with some changes, or none."""
    line = list(rng.choice(_RIGHT))
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        rng.choice(_CHANGES)(rng, line)
    return line


def _add(rng: Random, line: list[str]) -> None:
    option = rng.choice(OPTIONS)
    line += [option, _value(rng, option)]


def _flag(rng: Random, line: list[str]) -> None:
    line.insert(rng.randrange(len(line) + 1), rng.choice(FLAGS))


def _remove(rng: Random, line: list[str]) -> None:
    if len(line) > 1:
        del line[rng.randrange(1, len(line))]


def _double(rng: Random, line: list[str]) -> None:
    line.append(rng.choice(line))


def _change(rng: Random, line: list[str]) -> None:
    """Give an option of the line another value, or the command another argument."""
    places = [place for place in range(1, len(line)) if not line[place].startswith("-")]
    if places:
        place = rng.choice(places)
        line[place] = _value(rng, line[place - 1])


def _value(rng: Random, option: str) -> str:
    if option in PATH_OPTIONS:
        return rng.choice(PATHS)
    return rng.choice(VALUES.get(option, TEXTS))


_CHANGES: tuple[Callable[[Random, list[str]], None], ...] = (
    _add,
    _add,
    _flag,
    _remove,
    _double,
    _change,
    _change,
)


def stdin(rng: Random) -> str:
    """Return what the command reads from its standard input."""
    choice = rng.randrange(4)
    if choice == 0:
        return "\n".join(export_lines.lines(rng))
    if choice == 1:
        rows = [documents.json_document(rng).decode("utf-8", "replace") for _ in range(3)]
        return "\n".join([*rows, "waUBAgEA", "", "\x1b]0;x\x07", "waYB" + "A" * 98])
    return rng.choice(("", "y\n", "n\n", "\n", "\x1b"))
