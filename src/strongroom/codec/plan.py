"""How to read the rows that begin with one header."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from strongroom.codec import guards
from strongroom.codec.allowance import Allowance, CountValues
from strongroom.codec.chain import BulkLoads, Chain, count_values_of, loads_many_of
from strongroom.codec.guards import Outcome, Step
from strongroom.codec.text_box import as_text_box
from strongroom.format.envelope import Envelope
from strongroom.protocols import Box, Compressor, Serializer, Stored

Open: TypeAlias = Callable[[Any, bytes], bytes]
"""Decrypts a body that was written behind a header."""


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """The stages that read the rows of one header, looked up once.

    ``open`` is None for rows that no cipher encrypted. ``open_text`` takes the text form of a body,
    and is None where the cipher has nothing of the kind; so are ``loads_many`` and ``count_values``
    for the serializer.
    """

    chain: Chain
    header: bytes
    open: Open | None
    open_text: Open | None
    compressor: Compressor | None
    serializer: Serializer
    loads_many: BulkLoads | None
    count_values: CountValues | None

    def read(
        self, body: Stored, open_body: Open | None, allowance: Allowance | None = None
    ) -> Outcome:
        """Decrypt, decompress and parse the body of a row; an error is returned, not raised.

        If that is more than ``allowance`` has left, the outcome means nothing.
        """
        chain = self.chain
        step: Step = "cipher"
        try:
            data: Any = body if open_body is None else open_body(body, self.header)
            step = "compressor"
            if self.compressor is not None:
                most = chain.max_size if allowance is None else allowance.most(chain.max_size)
                data = self.compressor.decompress(data, max_size=most)
            step = "serializer"
            if len(data) > chain.max_values:
                problem = chain.payload_problem(len(data), data, self.count_values)
                if problem is not None:
                    return problem
            if allowance is not None and not allowance.take(data, len(body), self.count_values):
                return allowance.error()
            return self.serializer.loads(data)
        except Exception as error:  # noqa: BLE001 - a third party's stage may raise anything
            if allowance is not None and step == "compressor":
                allowance.row_failed(chain.max_size)
            return guards.failure(step, error)


def make_plan(chain: Chain, parts: Envelope, box: Box | None) -> ReadPlan:
    """Return the plan for rows with this header; raises CodecNotAcceptedError."""
    compressor = None if parts.compressor is None else chain.compressor_of(parts.compressor)
    serializer = chain.serializer_of(parts.serializer)
    text_box = as_text_box(box, parts.header)
    return ReadPlan(
        chain=chain,
        header=parts.header,
        open=box.open if box else None,
        open_text=text_box.open_text if text_box else None,
        compressor=compressor,
        serializer=serializer,
        loads_many=loads_many_of(serializer),
        count_values=count_values_of(serializer),
    )
