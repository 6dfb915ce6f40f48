"""State that all stores on one engine share."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary, WeakValueDictionary

from sqlalchemy import Engine

from strongroom.sql.dialects import registry
from strongroom.sql.dialects.base.database import Database, Statements
from strongroom.sql.gate import EngineGates, Gate
from strongroom.sql.schema import TableNames


@dataclass
class EngineState:
    """The gates of an engine, and the statements for the tables that were looked at on it."""

    database: Database
    gates: EngineGates
    statements: dict[TableNames, Statements] = field(default_factory=dict)
    preparing: Gate = field(default_factory=Gate)
    sessions: WeakValueDictionary[Hashable, Gate] = field(default_factory=WeakValueDictionary)


_engines: WeakKeyDictionary[Engine, EngineState] = WeakKeyDictionary()


def state_of(engine: Engine) -> EngineState:
    """Return the state of an engine; ConfigurationError for a database that nothing is known of."""
    state = _engines.get(engine)
    if state is None:
        database = registry.find(engine.dialect)
        state = EngineState(database, database.transactions.gates(engine))
        state = _engines.setdefault(engine, state)
    return state
