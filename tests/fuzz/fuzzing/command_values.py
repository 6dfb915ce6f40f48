"""Options of the command line, and values for them: right ones, odd ones and wrong ones."""

from __future__ import annotations

from fuzzing.sealing import CONTEXT
from fuzzing.tables import OTHER

PASSWORD = "p4ss-w0rd"
"""The password in every URL that has one, which nothing may print."""

URL = "sqlite+aiosqlite:///memory.db"
PATHS = (
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
TEXTS = (
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
VALUES: dict[str, tuple[str, ...]] = {
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
PATH_OPTIONS = (
    "--key-file",
    "--ledger-key-file",
    "--witness",
    "--to-key-file",
    "--file",
    "-o",
    "--output",
)
TEXT_OPTIONS = ("--prefix", "--namespace", "--after", "--to-namespace")
FLAGS = (
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
OPTIONS = (*VALUES, *PATH_OPTIONS, *TEXT_OPTIONS)
