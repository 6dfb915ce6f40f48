"""Whether concurrent operations on one history came to what some serial order of them would have.

An operation takes effect at one moment between its call and its return. The search goes through
the orders that this allows, and remembers what it has been through (Wing and Gong, with Lowe's
memory). Items are unique, and reads and pops show them, so that it seldom has to turn back.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Operation:
    """What a client did, what it got, and when it called and got it."""

    kind: str
    items: tuple[Any, ...]
    result: Any
    began: float
    ended: float

    def on(self, state: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Return the history behind this operation; None if it came to something else."""
        if self.kind == "add":
            return state + self.items
        if self.kind == "replace":
            return self.items
        if self.kind == "clear":
            return ()
        if self.kind == "read":
            return state if state == self.result else None
        if self.result is None:
            return None if state else state
        return state[:-1] if state and state[-1] == self.result else None


def explains(clients: list[list[Operation]], start: tuple[Any, ...], end: tuple[Any, ...]) -> bool:
    """Tell whether an order of all clients' operations leads from one history to the other."""
    seen = set()
    pending = [((0,) * len(clients), start)]
    while pending:
        places, state = pending.pop()
        places = _with_reads(clients, places, state)
        if (places, state) in seen:
            continue
        seen.add((places, state))
        allowed = _allowed(clients, places)
        if not allowed and state == end:
            return True
        # The one that ended first is tried first, so it goes on the stack last.
        for client, operation in sorted(allowed, key=lambda pair: -pair[1].ended):
            after = operation.on(state)
            if after is not None:
                pending.append((_advanced(places, client), after))
    return False


def _allowed(clients: Any, places: tuple[int, ...]) -> list[tuple[int, Operation]]:
    """Return each client's next operation, unless another one had ended before it began."""
    following = [
        (client, operations[place])
        for client, (operations, place) in enumerate(zip(clients, places, strict=True))
        if place < len(operations)
    ]
    first = min((operation.ended for _, operation in following), default=0.0)
    return [pair for pair in following if pair[1].began <= first]


def _with_reads(clients: Any, places: tuple[int, ...], state: tuple[Any, ...]) -> tuple[int, ...]:
    """Pass reads that fit now: they change nothing, so no order is lost by taking them at once."""
    while True:
        for client, operation in _allowed(clients, places):
            if operation.kind == "read" and operation.result == state:
                places = _advanced(places, client)
                break
        else:
            return places


def _advanced(places: tuple[int, ...], client: int) -> tuple[int, ...]:
    return (*places[:client], places[client] + 1, *places[client + 1 :])
