"""Many rows at once: rows that were all written alike are read stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from strongroom.codec.allowance import Allowance
from strongroom.codec.guards import Outcome
from strongroom.codec.plan import ReadPlan
from strongroom.errors import StrongroomError
from strongroom.format.text import check_canonical, decode_text, to_text


def read_alike(plan: ReadPlan, stored: Sequence[Any], allowance: Allowance) -> list[Outcome] | None:
    """Return the items of rows that all have the plan's header.

    None, or any exception, says that the rows have to be read one by one.
    """
    payloads = _open_all(plan, stored)
    if payloads is None:
        return None
    if plan.compressor is not None:
        # One after the other: together they may be a thousand times as large as the rows.
        outcomes = [plan.read(payload, None, allowance) for payload in payloads]
        failed = any(isinstance(outcome, StrongroomError) for outcome in outcomes)
        return None if failed else outcomes
    chain = plan.chain
    if max(map(len, payloads)) > min(chain.max_size, chain.max_values):
        return None
    if not allowance.take_alike(payloads):
        return None
    if plan.loads_many is not None:
        return plan.loads_many(payloads)
    return list(map(plan.serializer.loads, payloads))


def _open_all(plan: ReadPlan, stored: Sequence[Any]) -> list[bytes] | None:
    """Decrypt rows that begin with the plan's header; None if one of them does not."""
    header = plan.header
    text = isinstance(stored[0], str)
    prefix = to_text(header) if text else header
    if (text and len(header) % 3) or not all(value.startswith(prefix) for value in stored):
        return None
    bodies: list[Any] = [value[len(prefix) :] for value in stored]
    if text and plan.open_text is not None:
        for body in bodies:
            check_canonical(body)
        return [plan.open_text(body, header) for body in bodies]
    if text:
        bodies = list(map(decode_text, bodies))
        if None in bodies:
            return None
    return bodies if plan.open is None else [plan.open(body, header) for body in bodies]
