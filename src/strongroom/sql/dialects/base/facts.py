"""Facts about tables, as they were found in the database."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TableFacts:
    """Facts that the statements of every database depend on.

    ``indexed`` says that the index on (session_id, id) is there; without it a statement must not
    tempt the planner to walk the whole table in the order of its ids. ``session_id_length`` is
    the shortest length that the columns of session ids declare, None if they declare none.
    """

    indexed: bool
    session_id_length: int | None
