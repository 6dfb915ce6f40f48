"""Links, heads and whole histories: what a ledger refuses, and what it serves."""

from __future__ import annotations

import struct
from random import Random

from fuzzing import golden, histories, leaks, ledger_edits, tables
from fuzzing.cases import Case
from fuzzing.good_rows import NEIGHBOUR, codec_of
from fuzzing.histories import LEDGER_KEYS
from fuzzing.ledger_checks import Trial
from fuzzing.row_cases import SMALL
from fuzzing.sealing import CONTEXT, NAMESPACE
from strongroom import Ledger


class Witness:
    """Remembers one head, which each case sets, of the session that cases are about."""

    newest: tuple[int, bytes] | None = None
    key: bytes = b""

    async def seen(self, key: bytes) -> tuple[int, bytes] | None:
        """Return the head."""
        return self.newest

    async def advance(self, key: bytes, version: int, tag: bytes) -> None:
        """Take a newer head."""
        if self.newest is None or version > self.newest[0]:
            self.newest = (version, tag)

    async def keys(self) -> list[bytes]:
        """Return the session's key, once there is a head."""
        return [] if self.newest is None else [self.key]


class Ledgers:
    """Histories that somebody has edited, as SQLite holds them."""

    name = "ledgers"

    def __init__(self) -> None:
        self._shelf = tables.Shelf()
        self._log = leaks.Log()
        self._witness = Witness()

    def generate(self, rng: Random) -> Case:
        """Return a history and its head, edited with or without the ledger's key."""
        spec, column = rng.choice(("orjson+aesgcm", "orjson")), rng.choice(("text", "binary"))
        history = histories.History.honest(rng, spec, column)
        newest = history.head or b""
        for _ in range(rng.choice((0, 1, 1, 1, 2))):
            rng.choice(ledger_edits.EDITS)(rng, history)
        seen = [struct.unpack(">Q", newest[12:20])[0], newest[44:]]
        return {
            "spec": spec,
            "column": column,
            "rows": [list(row) for row in history.stored()],
            "head": history.head,
            "witness": seen if rng.random() < 0.3 else None,
            "registered": rng.random() < 0.95,
            "secrets": [NEIGHBOUR] if "+" in spec else [],
            "limit": rng.randrange(1, 5),
            "batch": rng.choice((1, 2, 256)),
        }

    def run(self, case: Case) -> str:
        """Read the history in every way, and compare with the second reader."""
        column, spec, seen = case["column"], case["spec"], case["witness"]
        witness = None if seen is None else self._witness
        self._witness.newest = None if seen is None else (seen[0], seen[1])
        store = self._shelf.store(
            (column, spec, seen is None),
            codec=codec_of(spec),
            namespace=NAMESPACE,
            column_type=column,
            on_error="raise",
            ledger=Ledger(golden.ring(*LEDGER_KEYS), witness),
        )
        self._witness.key = store.ledger.bind(CONTEXT, NAMESPACE).witness_key
        label = self._shelf.run(Trial(store, case).run())
        self._log.check(case["secrets"])
        return label

    def max_size(self, case: Case) -> int:
        """Return the codec's bound."""
        return SMALL

    def close(self) -> None:
        """Close the databases."""
        self._shelf.close()
        self._log.close()
