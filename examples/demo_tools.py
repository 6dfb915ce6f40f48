"""Helpers of the example: read the database file, and print what it holds.

Nothing here goes through strongroom, except ``describe``, which needs no key.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from strongroom import RowInfo, describe

if TYPE_CHECKING:
    from pathlib import Path

WIDTH = 80
MARGIN = 10


@dataclass(frozen=True)
class Row:
    """A row as it lies in the file, and what can be told of it without a key."""

    number: int
    stored: str
    info: RowInfo


# Printing ---------------------------------------------------------------------------------------


def headline(text: str) -> None:
    """Print a line above what belongs together."""
    print(f"\n── {text} {'─' * (WIDTH - len(text) - 4)}", flush=True)


def say(who: str, text: str) -> None:
    """Print what somebody said, wrapped behind a margin."""
    indent = " " * MARGIN
    print(textwrap.fill(text, WIDTH, initial_indent=f"{who:<{MARGIN}}", subsequent_indent=indent))
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a remark."""
    print()
    say("note", text)


def claim(holds: bool, text: str) -> None:
    """Print what has been shown, or end the program if it does not hold."""
    if not holds:
        sys.exit(f"NOT TRUE: {text}")
    print()
    say("shown", text)


def claim_error(error: Exception | None, text: str) -> None:
    """Claim that something raised an error, and print its class and message."""
    claim(error is not None, f"{text}: {type(error).__name__}")
    say("", str(error))


def show_rows(items: list[Any], rows: list[Row]) -> None:
    """Print each item, and below it its row, cut to one line."""
    for item, row in zip(items, rows, strict=True):
        print()
        say(*speech(item))
        about = f"{row.info.spec} " + (f"key {row.info.key_id} " if row.info.key_id else "")
        room = WIDTH - MARGIN - len(about)
        stored = row.stored if len(row.stored) <= room else row.stored[: room - 1] + "…"
        print(f"{f'  row {row.number}':<{MARGIN}}{about}{stored}")


# Text of an item -------------------------------------------------------------------------------


def speech(item: Any) -> tuple[str, str]:
    """Return who speaks in an item, and what."""
    if item.get("type") == "function_call":
        return "agent", f"calls {item['name']}({item['arguments']})"
    if item.get("type") == "function_call_output":
        return "tool", item["output"]
    if isinstance(item["content"], str):
        return item["role"], item["content"]
    return "agent", " ".join(part["text"] for part in item["content"])


# The file ---------------------------------------------------------------------------------------


def read_rows(db: Path) -> list[Row]:
    """Read the rows with the standard library alone."""
    with closing(sqlite3.connect(db)) as connection:
        query = "SELECT id, message_data FROM agent_messages ORDER BY id"
        return [
            Row(number, stored, describe(stored)) for number, stored in connection.execute(query)
        ]


@contextmanager
def altered_copy(db: Path, *, row: int) -> Iterator[Path]:
    """Yield a copy of a database in which one character in the middle of a row is another one."""
    copy = db.with_suffix(".altered")
    with closing(sqlite3.connect(db)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        query = "SELECT message_data FROM agent_messages WHERE id = ?"
        (stored,) = target.execute(query, (row,)).fetchone()
        middle = len(stored) // 2
        other = "A" if stored[middle] != "A" else "B"
        altered = stored[:middle] + other + stored[middle + 1 :]
        target.execute("UPDATE agent_messages SET message_data = ? WHERE id = ?", (altered, row))
        target.commit()
    try:
        yield copy
    finally:
        copy.unlink()


def claim_hidden(db: Path, items: list[Any], *, but_not: str) -> None:
    """Claim that the files of a database hold nothing that was said.

    ``but_not`` is a text that lies there in the clear: it shows that the search can find things.
    """
    files = [path for path in (db, db.with_name(db.name + "-wal")) if path.exists()]
    data = b"".join(path.read_bytes() for path in files)
    said = [speech(item)[1] for item in items]
    found = [text for text in said if any(form in data for form in spellings(text))]
    sizes = " and ".join(f"{path.name} ({path.stat().st_size:,} bytes)" for path in files)
    claim(
        not found and but_not.encode() in data,
        f"{sizes} hold none of the {len(said)} things said, neither as text nor as base64. They "
        f"do hold the session id, {but_not!r}, in the clear.",
    )


def spellings(text: str) -> list[bytes]:
    """Return how a text may look in a file: as it is, within JSON, and within base64."""
    data = text.encode()
    forms = [data, json.dumps(text)[1:-1].encode()]
    for shift in range(3):
        # base64 writes 3 bytes as 4 characters, so where the text begins decides how it looks.
        encoded = base64.urlsafe_b64encode(bytes(shift) + data)
        forms.append(encoded[4:-4])
    return forms
