"""A codec for the rows of one session: it writes rows and reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from strongroom.codec import bulk, foreign, guards
from strongroom.codec.allowance import Allowance
from strongroom.codec.chain import Chain
from strongroom.codec.guards import Outcome
from strongroom.codec.plan import ReadPlan, make_plan
from strongroom.codec.text_box import as_text_box
from strongroom.errors import DecodeError, EncodeError, StrongroomError
from strongroom.format import envelope
from strongroom.format.envelope import HEADER_SIZE, KEYED_HEADER_SIZE, KEYED_HEADER_TEXT_SIZE
from strongroom.format.text import check_canonical, to_text
from strongroom.protocols import Box, Item, Stored

_MOST_PLANS = 64
"""Headers with key ids that a writer of the database makes up must not fill the memory."""


class RowCodec:
    """A codec for the rows of one context and namespace; it derives each subkey once."""

    __slots__ = (
        "_boxes",
        "_chain",
        "_context",
        "_namespace",
        "_plans",
        "_seal",
        "_seal_text",
        "_text_plans",
    )

    def __init__(self, chain: Chain, context: str, namespace: str) -> None:
        self._chain = chain
        self._context = context
        self._namespace = namespace
        self._boxes: dict[str, Box] = {}
        self._plans: dict[bytes, ReadPlan] = {}
        self._text_plans: dict[str, ReadPlan] = {}
        box = self._bind(chain.cipher.name) if chain.cipher else None
        text_box = as_text_box(box, chain.header)
        self._seal = box.seal if box else None
        self._seal_text = text_box.seal_text if text_box else None

    def encode(self, item: Item) -> bytes:
        """Return the row of an item; EncodeError if it cannot be stored or not be read back."""
        try:
            row: bytes = self._chain.header + self._body(item, self._seal)
        finally:
            del item  # an error keeps this frame
        return row

    def encode_text(self, item: Item) -> str:
        """Return the value of a text column for an item; raises EncodeError."""
        try:
            if self._seal_text is not None:
                text: str = self._chain.header_text + self._body(item, self._seal_text)
                return text
            body: bytes = self._body(item, self._seal)
        finally:
            del item  # an error keeps this frame
        header = self._chain.header
        return to_text(header + body) if header else body.decode("utf-8")

    def encode_many(self, items: Iterable[Item]) -> list[bytes]:
        """Return the rows of several items."""
        try:
            return list(map(self.encode, items))
        finally:
            del items  # an error keeps this frame

    def decode(self, stored: Stored) -> Item:
        """Return the item of a row, given in its text or its binary form; raises DecodeError."""
        outcome = self._read(stored)
        if isinstance(outcome, StrongroomError):
            # No frame that the traceback holds may keep the plaintext.
            del stored
            raise outcome
        return outcome

    def allowance(self) -> Allowance:
        """Return how much one call may decode."""
        return Allowance(self._chain.max_total)

    def decode_many(
        self, stored: Sequence[Stored], allowance: Allowance | None = None
    ) -> list[Outcome]:
        """Return the outcomes of several rows, in order.

        Raises TotalSizeError if they are more than ``allowance``, by default ``max_total``.
        """
        allowance = allowance or self.allowance()
        if len(stored) > 1 and sum(map(len, stored)) <= self._chain.max_size // 4:
            left = allowance.left
            try:
                items = self._decode_alike(stored, allowance)
            except Exception:  # noqa: BLE001 - one by one, the rows say what is wrong with which
                items = None
            if items is not None:
                return items
            allowance.left = left
        return self._decode_each(stored, allowance)

    def _decode_alike(self, stored: Sequence[Stored], allowance: Allowance) -> list[Outcome] | None:
        """Decode rows that are all written alike, stage by stage; None, or any error, if not."""
        first = stored[0]
        row = envelope.from_text(first) if isinstance(first, str) else first
        if row is not None and envelope.is_envelope(row):
            plan = self._plan_of(row)
            items = bulk.read_alike(plan, stored, allowance)
            if items is not None:
                self._remember(plan)
            return items
        loads_many = self._chain.bare_loads_many
        if loads_many is None or max(map(len, stored)) > self._chain.max_values:
            return None
        return loads_many(stored) if allowance.take_alike(stored) else None

    def _decode_each(self, stored: Sequence[Stored], allowance: Allowance) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for value in stored:
            outcomes.append(self._outcome(value, allowance))
            if allowance.left < 0:
                del outcomes  # A traceback that shows locals has no item to show.
                raise allowance.error()
        return outcomes

    def _outcome(self, stored: Stored, allowance: Allowance) -> Outcome:
        try:
            outcome = self._read(stored, allowance)
        except DecodeError as error:
            return error
        if isinstance(outcome, StrongroomError) and not isinstance(outcome, DecodeError):
            raise outcome  # A library is missing, say: that is no fault of the row.
        return outcome

    def _body(self, item: Item, seal: Callable[[bytes, bytes], Any] | None) -> Any:
        """Serialize, compress and encrypt an item; without ``seal`` it is not encrypted."""
        chain, problem = self._chain, ""
        data, refusal = b"", None
        try:
            data = chain.serializer.dumps(item)
            if len(data) > chain.max_size:
                problem = (
                    f"The item takes {len(data)} bytes, and the codec's max_size allows "
                    f"{chain.max_size}: store it elsewhere, or raise max_size for every reader."
                )
            elif len(data) > chain.max_values and _holds_too_many(chain, data):
                problem = (
                    f"The item holds more values than the {chain.max_values} that the codec's "
                    f"max_values allows: store it elsewhere, or raise max_values for every reader."
                )
            else:
                if chain.compressor is not None:
                    data = chain.compressor.compress(data)
                return data if seal is None else seal(data, chain.header)
        except StrongroomError as error:
            refusal = guards.bare(error)
        except Exception as error:  # noqa: BLE001 - a third party's stage may raise anything
            problem = f"A stage of the codec failed on the item: {type(error).__name__}."
        del item, data  # an error keeps this frame
        raise refusal or EncodeError(problem)

    def _read(self, stored: Stored, allowance: Allowance | None = None) -> Outcome:
        """Return the item of a row, or why its content cannot be read.

        Raises DecodeError for a row whose form alone says that it is refused.
        """
        if isinstance(stored, str):
            text_plan = self._text_plans.get(stored[:KEYED_HEADER_TEXT_SIZE])
            if text_plan is not None:
                check_canonical(stored)
                body = stored[KEYED_HEADER_TEXT_SIZE:]
                return text_plan.read(body, text_plan.open_text, allowance)
            row = envelope.from_text(stored)
        else:
            row = stored if envelope.is_envelope(stored) else None
        if row is None:
            return foreign.read(self._chain, stored, self._context, allowance)
        # A header that names third-party stages is longer, and is parsed every time.
        size = HEADER_SIZE if row[3:4] == b"\0" else KEYED_HEADER_SIZE
        plan = self._plans.get(row[:size])
        if plan is not None:
            return plan.read(row[len(plan.header) :], plan.open, allowance)
        plan = self._new_plan(row)
        outcome = plan.read(row[len(plan.header) :], plan.open, allowance)
        if not isinstance(outcome, StrongroomError):
            self._remember(plan)
        return outcome

    def _plan_of(self, row: bytes) -> ReadPlan:
        """Return how a row is read, as its header says; raises DecodeError."""
        size = HEADER_SIZE if row[3:4] == b"\0" else KEYED_HEADER_SIZE
        return self._plans.get(row[:size]) or self._new_plan(row)

    def _new_plan(self, row: bytes) -> ReadPlan:
        """Decide how, and whether, rows with this one's header are read; raises DecodeError."""
        parts = envelope.parse(row)
        box = None
        if parts.cipher is None:
            self._chain.check_plaintext(row)
        else:
            box = self._bind(parts.cipher)
        return make_plan(self._chain, parts, box)

    def _remember(self, plan: ReadPlan) -> None:
        """Keep a plan that has read a row: others are of headers that anybody may have made up."""
        if plan.header not in self._plans and len(self._plans) < _MOST_PLANS:
            self._plans[plan.header] = plan
            if plan.open_text is not None and len(plan.header) == KEYED_HEADER_SIZE:
                self._text_plans[to_text(plan.header)] = plan

    def _bind(self, name: str) -> Box:
        """Return the box of a cipher, bound once."""
        box = self._boxes.get(name)
        if box is None:
            cipher = self._chain.cipher_of(name)
            box = self._boxes[name] = guards.bind(cipher, self._namespace, self._context)
        return box


def _holds_too_many(chain: Chain, data: bytes) -> bool:
    """Tell whether a payload holds more values than ``max_values``."""
    count = chain.count_values
    return count is not None and count(data, chain.max_values) > chain.max_values
