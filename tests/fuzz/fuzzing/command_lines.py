"""Command lines: right ones, and what may go wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from fuzzing import documents, export_lines
from fuzzing.sealing import CONTEXT
from fuzzing.tables import OTHER

PASSWORD = "p4ss-w0rd"
"""The password in every URL that has one, which nothing may print."""

URL = "sqlite+aiosqlite:///memory.db"
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
_PATHS = (
    "keys",
    "ledger-keys",
    "lines.jsonl",
    "memory.db",
    ".",
    "missing/x",
    "",
    "-",
    "\u00e9",
    "a" * 300,
)
_TEXTS = (
    "",
    " ",
    CONTEXT,
    OTHER,
    "user-",
    "\u202e",
    "Über 🎉",
    "a" * 5_000,
    "%",
    "_",
    "\x1b[31m",
    "*",
    "--",
)
_VALUES: dict[str, tuple[str, ...]] = {
    "--url": (
        *(
            URL,
            "sqlite:///memory.db",
            "sqlite+aiosqlite:///missing.db",
            "://",
            "",
            "sqlite+aiosqlite://",
        ),
        *(
            "sqlite+aiosqlite:///lines.jsonl",
            "sqlite+aiosqlite:///.",
            f"sqlite+aiosqlite://u:{PASSWORD}@/x.db",
        ),
        *(f"postgresql+psycopg2://u:{PASSWORD}@host/db", f"nonsense://u:{PASSWORD}@host:port/db"),
        *(
            f"sqlite+aiosqlite://u:{PASSWORD}@h:99999999/x",
            f"oracle+oracledb_async://u:{PASSWORD}@h/x",
        ),
        *(
            f"postgresql+asyncpg://u:{PASSWORD}@/db?host=/nonexistent",
            "sqlite+aiosqlite:///file:x?uri=true",
        ),
        *(
            f"sqlite+aiosqlite:///memory.db?password={PASSWORD}",
            "sqlite+aiosqlite:///memory.db?timeout=x",
        ),
    ),
    "--column-type": ("text", "binary", "blob", ""),
    "--schema": ("", "main", "temp", "missing", 'x"y', "a;b"),
    "--sessions-table": ("agent_sessions", "missing", "", "agent_messages", 'x"y', "sqlite_master"),
    "--messages-table": ("agent_messages", "missing", "", "agent_sessions", "x y", "sqlite_master"),
    "--codec": (
        *(
            "json",
            "orjson+aesgcm",
            "json+fernet",
            "msgpack+zstd+aesgcm",
            "msgpack+zlib",
            "",
            "+",
            "x",
        ),
        *(
            "aesgcm",
            "json+json",
            "json+aesgcm+zlib",
            "json+",
            "JSON",
            "json+zstd+aesgcm+fernet",
            "raw",
        ),
    ),
    "--accept": (
        "plaintext",
        "fernet",
        "aesgcm",
        "fernet-token",
        "encrypted-session",
        "json",
        "",
        "x",
    ),
    "--ttl": ("none", "600", "-1", "nan", "inf", "x", ""),
    "--last": ("1", "0", "-1", "99999999999999999999", "x", "1.5"),
    "--limit": ("1", "0", "-1", "99999999999999999999", "x", "9223372036854775807"),
    "--rows": ("1", "0", "-1", "x", "3"),
    "--rows-per-second": ("0", "-1", "nan", "inf", "1e9", "x", "1000"),
    "--updated-before": (
        "30d",
        "0m",
        "9999999999d",
        "2026-01-31",
        "0001-01-01",
        "x",
        "2026-01-31T12:00+14:00",
    ),
    "--updated-after": (
        "30d",
        "0001-01-01T00:00+14:00",
        "9999-12-31T23:59-14:00",
        "2026-02-30",
        "",
    ),
    "--primary": ("AAAAAAAAAAAA", "", "x"),
    "--drop": ("t3wxrSRlqJ-K", "Ri3XaAv5Xo3M", "AAAAAAAAAAAA", ""),
    "--stored-as": ("text", "binary", "x"),
    "--to-codec": ("json", "orjson+aesgcm", "x", ""),
    "--to-column-type": ("text", "binary", "x"),
    "--to-sessions-table": ("s2", "agent_sessions", ""),
    "--to-messages-table": ("m2", "agent_messages", ""),
}
_PATH_OPTIONS = (
    "--key-file",
    "--ledger-key-file",
    "--witness",
    "--to-key-file",
    "--file",
    "-o",
    "--output",
)
_TEXT_OPTIONS = ("--prefix", "--namespace", "--after", "--to-namespace")
_FLAGS = (
    "--json",
    "--debug",
    "--yes",
    "--any-mode",
    "--help",
    "--full",
    "--skip",
    "--append",
    "--add",
    "--stdin",
    "-x",
)
_OPTIONS = (*_VALUES, *_PATH_OPTIONS, *_TEXT_OPTIONS)


def arguments(rng: Random) -> list[str]:
    """Return a command line with some changes, or none."""
    line = list(rng.choice(_RIGHT))
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        rng.choice(_CHANGES)(rng, line)
    return line


def _add(rng: Random, line: list[str]) -> None:
    option = rng.choice(_OPTIONS)
    line += [option, _value(rng, option)]


def _flag(rng: Random, line: list[str]) -> None:
    line.insert(rng.randrange(len(line) + 1), rng.choice(_FLAGS))


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
    if option in _PATH_OPTIONS:
        return rng.choice(_PATHS)
    return rng.choice(_VALUES.get(option, _TEXTS))


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
