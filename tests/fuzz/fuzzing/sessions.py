"""A bad row among good neighbours, through sessions and stores on SQLite."""

from __future__ import annotations

from random import Random
from typing import Any

from fuzzing import (
    documents,
    leaks,
    mutation,
    sealing,
    session_checks,
    session_trial,
    tables,
)
from fuzzing.cases import Case
from fuzzing.good_rows import NEIGHBOUR, codec_of, good
from fuzzing.row_cases import SMALL
from fuzzing.rows import Rows
from fuzzing.sealing import CONTEXT, NAMESPACE
from fuzzing.tables import OTHER, TIME

SPECS = ("orjson+aesgcm", "json+fernet", "msgpack+zstd+aesgcm", "json+zlib+fernet", "orjson")

_TIMES = (
    "0044-03-15 00:00:00",
    "",
    "soon",
    0,
    -(2**40),
    {"as text": b"\xff\xfe"},
    "9999-12-31 23:59:59.999999",
)
_VALUES = (
    "",
    b"",
    0,
    -1.5,
    "waUBAgEA",
    "waU",
    b"\xc1\xa5",
    "\0",
    b"\0",
    "null",
    b"[]",
    "waYB",
    b"\xc1\xa6\x01",
)
_CHECKS = sorted(session_checks.CHECKS)


class Sessions:
    """Rows that somebody has written into the database, read in every public way."""

    name = "sessions"

    def __init__(self) -> None:
        self._shelf = tables.Shelf()
        self._rows = Rows()
        self._log = leaks.Log()

    def generate(self, rng: Random) -> Case:
        """Return a history with one bad row, or two, and what is done with it."""
        spec, column = rng.choice(SPECS), rng.choice(("text", "binary"))
        many = rng.random() < 0.01  # a batch that is decoded in parts
        rows: list[Any] = list(range(rng.randrange(100, 300) if many else rng.randrange(2, 6)))
        bad = {place: self._bad(rng, spec, column) for place in _places(rng, rows)}
        rows = [bad[row][0] if row in bad else row for row in rows]
        # An error may show a row that was stored in the clear.
        hidden = all(secrets for _, secrets in bad.values())
        secrets = [NEIGHBOUR, *([documents.SECRET] if hidden else [])]
        case = {
            "spec": spec,
            "accept": rng.choice(([], [], ["plaintext"])) if "+" in spec else [],
            "column": column,
            "on_error": rng.choice((None, "raise", "raise", "skip")),
            "rows": rows,
            "secrets": secrets if "+" in spec else [],
            "do": ["get_items", "limited", "export"] if many else rng.sample(_CHECKS, 4),
        }
        if rng.random() < 0.03:
            case["times"] = {str(rng.randrange(len(rows))): rng.choice(_TIMES)}
        if rng.random() < 0.03:
            case["updated_at"] = rng.choice(_TIMES)
        return case

    def run(self, case: Case) -> str:
        """Fill the tables, and do what the case says."""
        column, spec, on_error = case["column"], case["spec"], case["on_error"]
        accept = tuple(case.get("accept", ()))
        codec = codec_of(spec, accept)
        store = self._shelf.store(
            (column, spec, accept, on_error),
            codec=codec,
            namespace=NAMESPACE,
            column_type=column,
            on_error=on_error,
        )
        values = [_value(row, spec, column) for row in case["rows"]]
        times = case.get("times", {})
        rows = [(n, value, times.get(str(n - 1), TIME)) for n, value in enumerate(values, 1)]
        others = [(n, good(spec, column, OTHER, n), TIME) for n in (1_001, 1_002)]
        sessions = [
            {"id": CONTEXT, "rows": rows, "updated_at": case.get("updated_at", TIME)},
            {"id": OTHER, "rows": others},
        ]
        trial = session_trial.Trial(store, case, values, codec)
        self._shelf.run(trial.prepare(sessions))
        for name in case["do"]:
            self._shelf.run(session_checks.CHECKS[name](trial))
        trial.leaks.done()
        self._log.check(case["secrets"])
        return trial.label

    def max_size(self, case: Case) -> int:
        """Return the codec's bound."""
        return SMALL

    def close(self) -> None:
        """Close the databases."""
        self._shelf.close()
        self._log.close()

    def _bad(self, rng: Random, spec: str, column: str) -> tuple[Any, list[str]]:
        """Return a value that is most likely no good row, and the secrets in it."""
        choice = rng.randrange(10)
        value: Any
        if choice < 4:
            made = self._rows.generate(rng)
            value, secrets = made["stored"], made["secrets"]
            if made.get("bomb"):
                value = b"\xc1\xa5"
        elif choice < 8:
            value, secrets = _altered(rng, spec, column), []
        elif choice == 8:
            value, secrets = rng.choice(_VALUES), []
        else:
            value, secrets = {"as text": mutation.of_bytes(rng, "waUBAgEA\u00e9".encode())}, []
        if column == "text" and isinstance(value, bytes) and rng.random() < 0.9:
            value = sealing.to_text(value)
        if isinstance(value, str) and not _is_storable(value):
            value = "waUBAgEA"
        return ({"value": value} if isinstance(value, int | float) else value), secrets


def _value(row: Any, spec: str, column: str) -> Any:
    """Return what the column holds for a row of a case: a number is the good row of this number."""
    if type(row) is int:
        return good(spec, column, CONTEXT, row)
    return row["value"] if isinstance(row, dict) and "value" in row else row


def _places(rng: Random, rows: list[Any]) -> list[int]:
    return rng.sample(range(len(rows)), rng.choice((1, 1, 1, 2)))


def _altered(rng: Random, spec: str, column: str) -> Any:
    """Return a good row, or one of another session, that somebody has changed."""
    value = good(spec, column, rng.choice((CONTEXT, OTHER)), rng.randrange(5))
    if isinstance(value, str):
        return mutation.of_text(rng, value)
    change = mutation.of_header if value[:2] == sealing.MAGIC else mutation.of_bytes
    return rng.choice((change, mutation.of_bytes))(rng, value)


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
