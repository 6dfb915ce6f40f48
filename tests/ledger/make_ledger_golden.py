"""Writes the golden files of ledgers. They are law: only what was missing is a reason to run this.

    python tests/ledger/make_ledger_golden.py                 writes the files that are missing
    python tests/ledger/make_ledger_golden.py --regenerate    overwrites those that are there, too

``valid.jsonl`` and ``invalid.jsonl`` hold one history a line: keys, namespace and session id; the
stored head in hexadecimal, or null; and the rows, oldest first, with their times in microseconds.
Rows are text in a text column, hexadecimal in a binary one. An invalid one names its error.
"""

import argparse
import json
from pathlib import Path

from strongroom import Key, Keyring, Ledger

FOLDER = Path(__file__).parent / "golden"
KEYS = [bytes(range(start, start + 32)) for start in (0, 32)]
SECOND = 1_000_000
START = 1_793_000_000 * SECOND
VALUES = ['{"n":1}', '{"text":"Grüße, 你好, 🎉"}', "waUBAAEA", ""]


def bound(session_id, namespace, keys=KEYS):
    return Ledger(Keyring(*map(Key, keys))).bind(session_id, namespace)


def line(name, head, rows, session_id="user-123", namespace="prod", keys=KEYS, **more):
    binary = any(isinstance(stored, bytes) for stored, _ in rows)
    return {
        "name": name,
        "keys": [key.hex() for key in keys],
        "namespace": namespace,
        "session_id": session_id,
        "column": "binary" if binary else "text",
        "head": None if head is None else head.hex(),
        "rows": [[stored.hex() if binary else stored, time] for stored, time in rows],
        **more,
    }


def histories(column, session_id="user-123", namespace="prod"):
    """Return values, times, head and rows of a history of two batches."""
    values = [value.encode() for value in VALUES] if column == "binary" else VALUES
    times = [START, START, START + SECOND, -5 * SECOND + 7]
    ledger = bound(session_id, namespace)
    first, head = ledger.append(None, values[:2], times[:2])
    second, head = ledger.append(head, values[2:], times[2:])
    return values, times, head, list(zip(first + second, times, strict=True)), ledger


def shown(values, column):
    return [value.hex() for value in values] if column == "binary" else list(values)


def valid_lines():
    lines = [line("no history", None, [], values=[])]
    for column in ("text", "binary"):
        values, times, head, rows, ledger = histories(column)
        lines.append(line(f"two batches, {column}", head.raw, rows, values=shown(values, column)))
        linked, new = ledger.rebuild(head, 0, bytes(16), values[:1], times[:1])
        rows = list(zip(linked, times, strict=False))
        lines.append(line(f"replaced, {column}", new.raw, rows, values=shown(values[:1], column)))
    _, _, head, _, ledger = histories("text")
    lines.append(
        line("cleared", ledger.make_head(head.version + 1, 0, bytes(16)).raw, [], values=[])
    )
    values, times, head, rows, _ = histories("text")
    other = bound("user-123", "prod", KEYS[::-1])
    more, head = other.append(head, ["another key"], [START])
    rows += [(more[0], START)]
    lines.append(line("two keys", head.raw, rows, values=[*values, "another key"]))
    for session_id, namespace in (("sesión 🎉", ""), ("x", "tenant/é" * 40)):
        values, times, head, rows, _ = histories("text", session_id, namespace)
        lines.append(
            line(f"session {session_id}", head.raw, rows, session_id, namespace, values=values)
        )
    return lines


def flipped(data, bit):
    return data[: bit // 8] + bytes((data[bit // 8] ^ (1 << bit % 8),)) + data[bit // 8 + 1 :]


def invalid_lines():
    tampered, unknown = {"error": "HistoryTamperedError"}, {"error": "UnknownKeyError"}
    _, _, head, rows, ledger = histories("binary")
    lines = [
        line("no head", None, rows, **tampered),
        line("another session", head.raw, rows, session_id="user-124", **tampered),
        line("another namespace", head.raw, rows, namespace="", **tampered),
        line(
            "names run together",
            head.raw,
            rows,
            session_id="duser-123",
            namespace="pro",
            **tampered,
        ),
        line("a key that is not there", head.raw, rows, keys=KEYS[1:], **unknown),
        line("a row is missing", head.raw, rows[:1] + rows[2:], **tampered),
        line("the first row is missing", head.raw, rows[1:], **tampered),
        line("the last row is missing", head.raw, rows[:-1], **tampered),
        line("two rows swapped", head.raw, [rows[1], rows[0], *rows[2:]], **tampered),
        line("a row twice", head.raw, [*rows, rows[-1]], **tampered),
        line("re-dated", head.raw, [(rows[0][0], rows[0][1] + 1), *rows[1:]], **tampered),
        line("a longer value", head.raw, [(rows[0][0] + b"x", rows[0][1]), *rows[1:]], **tampered),
        line("a shorter value", head.raw, [(rows[0][0][:-1], rows[0][1]), *rows[1:]], **tampered),
        line("not a whole link", head.raw, [(rows[0][0][:75], rows[0][1]), *rows[1:]], **tampered),
        line("no link", head.raw, [(rows[0][0][76:], rows[0][1]), *rows[1:]], **tampered),
        line("a short head", head.raw[:-1], rows, **tampered),
        line("a long head", head.raw + b"\0", rows, **tampered),
        line("an empty head", b"", rows, **tampered),
        line("a head for a link", rows[0][0][:60], rows, **tampered),
    ]
    for name, byte in (("version", 19), ("count", 27), ("last uid", 28), ("mac", 59)):
        lines.append(line(f"head, {name}", flipped(head.raw, 8 * byte), rows, **tampered))
    for name, byte in (("magic", 1), ("position", 19), ("time", 27), ("uid", 28), ("previous", 44)):
        stored = flipped(rows[2][0], 8 * byte)
        lines.append(
            line(f"link, {name}", head.raw, [*rows[:2], (stored, rows[2][1]), rows[3]], **tampered)
        )
    stored = flipped(rows[2][0], 8 * 11)
    lines.append(
        line("link, key id", head.raw, [*rows[:2], (stored, rows[2][1]), rows[3]], **unknown)
    )
    older = ledger.append(None, [b"x"], [START])[1]
    lines.append(line("an older head", older.raw, rows, **tampered))
    _, _, head, rows, _ = histories("text")
    text, time = rows[0]
    spellings = {
        "not canonical": text[:101] + chr(ord(text[101]) + 1) + text[102:],
        "standard alphabet": "+" + text[1:],
        "padding": text[:102] + "==" + text[102:],
        "a line break": text[:50] + "\n" + text[50:],
        "not ASCII": text[:5] + "é" + text[6:],
        "cut in the link": text[:101],
        "nothing": "",
    }
    for name, stored in spellings.items():
        lines.append(line(f"text: {name}", head.raw, [(stored, time), *rows[1:]], **tampered))
    return lines


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--regenerate", action="store_true")
    regenerate = parser.parse_args(arguments).regenerate
    status = 0
    for name, make in (("valid", valid_lines), ("invalid", invalid_lines)):
        path = FOLDER / f"{name}.jsonl"
        if path.exists() and not regenerate:
            print(f"{path} is there, and is left as it is.")
            status = 1
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in make())
        path.write_text(text, "utf-8")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
