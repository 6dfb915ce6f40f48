"""A codec bound to one session: where rows are written and read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from strongroom.codec import guards, registry
from strongroom.codec.ciphers.fernet import FernetBox
from strongroom.codec.guards import Outcome
from strongroom.codec.readers import is_fernet_token
from strongroom.codec.serializers.json import JsonSerializer
from strongroom.codec.serializers.orjson import OrjsonSerializer
from strongroom.errors import (
    CodecNotAcceptedError,
    DecodeError,
    EncodeError,
    EnvelopeError,
    NotJSONError,
    PayloadError,
    PlaintextRefusedError,
    StrongroomError,
)
from strongroom.format import envelope
from strongroom.protocols import Box, Cipher, Compressor, Item, Reader, Serializer, Stored


@dataclass(frozen=True, kw_only=True)
class Chain:
    """The stages of a codec as reading and writing look them up.

    ``header`` is that of the rows it writes, empty for bare JSON. The mappings hold what may be
    read, by the names that rows use. ``plaintext`` recognises the rows that may be read although
    no cipher has sealed them; None allows all, which is what a codec without a cipher does.
    """

    serializer: Serializer
    compressor: Compressor | None
    cipher: Cipher | None
    max_size: int
    header: bytes
    serializers: Mapping[str, Serializer]
    compressors: Mapping[str, Compressor]
    ciphers: Mapping[str, Cipher]
    readers: tuple[Reader, ...]
    plaintext: Callable[[Stored], bool] | None


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to read the rows that bear one header."""

    header: bytes
    box: Box | None
    compressor: Compressor | None
    serializer: Serializer


_HEADER_TEXT_SIZE = 20
"""What a header with a key id and without third-party names takes in text form."""

_MOST_PLANS = 64
"""Headers with key ids that a writer of the database makes up must not fill the memory."""


class BoundCodec:
    """A codec for the rows of one context and namespace; it derives each subkey once."""

    __slots__ = (
        "_boxes",
        "_chain",
        "_context",
        "_header_text",
        "_namespace",
        "_plans",
        "_seal",
        "_seal_text",
        "_token_plans",
    )

    def __init__(self, chain: Chain, context: str, namespace: str) -> None:
        self._chain = chain
        self._context = context
        self._namespace = namespace
        self._plans: dict[bytes, _Plan] = {}
        self._boxes: dict[str, Box] = {}
        self._token_plans: dict[str, _Plan] = {}
        box = self._bind(chain.cipher.name) if chain.cipher else None
        self._seal = box.seal if box else None
        # A Fernet token is base64 already, and behind a header of whole characters it stays so.
        self._header_text = envelope.to_text(chain.header)
        tokens = isinstance(box, FernetBox) and len(self._header_text) == _HEADER_TEXT_SIZE
        self._seal_text = cast("FernetBox", box).seal_text if tokens else None

    @property
    def inflates(self) -> bool:
        """Whether the codec compresses, so that a small row may hold a large item."""
        return self._chain.compressor is not None

    def encode(self, item: Item) -> bytes:
        """Return the row of an item; EncodeError if it cannot be stored or not be read back."""
        header = self._chain.header
        data: bytes = self._payload(item)
        return header + data if header else data

    def encode_text(self, item: Item) -> str:
        """Return what a text column holds for an item; raises EncodeError."""
        if self._seal_text is None:
            return envelope.column_text(self.encode(item))
        body: str = self._payload(item, self._seal_text)
        return self._header_text + body

    def encode_many(self, items: Iterable[Item]) -> list[bytes]:
        """Return the rows of several items."""
        return [self.encode(item) for item in items]

    def decode(self, stored: Stored) -> Item:
        """Return the item of a row, given in its text or its binary form; raises DecodeError."""
        if isinstance(stored, str):
            token_plan = self._token_plans.get(stored[:_HEADER_TEXT_SIZE])
            if token_plan is not None:
                return self._decode_token(token_plan, stored)
            row = envelope.from_text(stored)
        else:
            row = stored if envelope.is_envelope(stored) else None
        if row is None:
            return self._decode_foreign(stored)
        plan = self._plan_of(row)
        body = row[len(plan.header) :]
        if plan.box is not None:
            body = guards.open_body(plan.box, body, plan.header)
        outcome = _unpack(plan, body, self._chain.max_size)
        if isinstance(outcome, StrongroomError):
            # No frame that the traceback holds may keep the plaintext.
            del body, row, stored
            raise outcome
        return outcome

    def _decode_token(self, plan: _Plan, stored: str) -> Item:
        """Decode a Fernet row in text form, whose body is a token already."""
        envelope.check_canonical(stored)
        box = cast("FernetBox", plan.box)
        data = box.open_text(stored[_HEADER_TEXT_SIZE:], plan.header)
        outcome = _unpack(plan, data, self._chain.max_size)
        if isinstance(outcome, StrongroomError):
            del data, stored
            raise outcome
        return outcome

    def decode_many(self, stored: Sequence[Stored]) -> list[Outcome]:
        """Return the outcomes of several rows, in order."""
        if stored and sum(map(len, stored)) <= self._chain.max_size // 4:
            try:
                items = self._decode_alike(stored)
            except Exception:  # noqa: BLE001 - one by one, the rows say what is wrong with which
                items = None
            if items is not None:
                return items
        return [self._outcome(value) for value in stored]

    def _decode_alike(self, stored: Sequence[Stored]) -> list[Outcome] | None:
        """Decode rows that are all written alike, stage by stage; None, or any error, if not."""
        chain, first = self._chain, stored[0]
        row = envelope.from_text(first) if isinstance(first, str) else first
        if row is None or not envelope.is_envelope(row):
            serializer = _known(chain.serializers, "serializer", "json")
            # By these, whatever is not bare JSON throughout does not parse; by others, it may.
            exact = type(serializer) in (JsonSerializer, OrjsonSerializer)
            if chain.plaintext is not None or chain.readers or not exact:
                return None
            return _loads_all(serializer, stored)
        plan = self._plan_of(row)
        payloads = _open_all(plan, stored)
        if payloads is None or max(map(len, payloads)) > chain.max_size:
            return None
        if plan.compressor is None:
            return _loads_all(plan.serializer, payloads)
        # Not all at once, which may be a thousand times what is stored.
        outcomes = [_unpack(plan, payload, chain.max_size) for payload in payloads]
        return (
            None if any(isinstance(outcome, StrongroomError) for outcome in outcomes) else outcomes
        )

    def _payload(self, item: Item, seal: Callable[[bytes, bytes], Any] | None = None) -> Any:
        """Serialize, compress and seal an item, by default into bytes."""
        chain, problem = self._chain, ""
        seal = seal or self._seal
        try:
            data = chain.serializer.dumps(item)
            if len(data) > chain.max_size:
                problem = (
                    f"The item takes {len(data)} bytes, and the codec's max_size allows "
                    f"{chain.max_size}: store it elsewhere, or raise max_size for every reader."
                )
            else:
                if chain.compressor is not None:
                    data = chain.compressor.compress(data)
                return data if seal is None else seal(data, chain.header)
        except StrongroomError:
            raise
        except Exception as error:  # noqa: BLE001 - a third party's stage may raise anything
            problem = f"A stage of the codec failed on the item: {type(error).__name__}."
        raise EncodeError(problem)

    def _outcome(self, stored: Stored) -> Outcome:
        try:
            return self.decode(stored)
        except DecodeError as error:
            return error

    def _plan_of(self, row: bytes) -> _Plan:
        """Return how a row is read, as its header says."""
        # A header without third-party names has 6 or 15 bytes; others are parsed every time.
        return self._plans.get(row[:6] if row[3:4] == b"\0" else row[:15]) or self._plan(row)

    def _plan(self, row: bytes) -> _Plan:
        """Decide how, and whether, rows with this one's header are read."""
        parts = envelope.parse(row)
        chain = self._chain
        box = None
        if parts.cipher is not None:
            box = self._bind(parts.cipher)
        else:
            self._check_plaintext(row)
        compressor = None
        if parts.compressor is not None:
            compressor = _known(chain.compressors, "compressor", parts.compressor)
        serializer = _known(chain.serializers, "serializer", parts.serializer)
        plan = _Plan(parts.header, box, compressor, serializer)
        if len(self._plans) < _MOST_PLANS:
            self._plans[parts.header] = plan
            text = envelope.to_text(parts.header)
            if isinstance(box, FernetBox) and len(text) == _HEADER_TEXT_SIZE:
                self._token_plans[text] = plan
        return plan

    def _bind(self, name: str) -> Box:
        box = self._boxes.get(name)
        if box is None:
            chain = self._chain
            cipher = chain.ciphers.get(name)
            if cipher is None:
                here = f"seals with {chain.cipher.name}" if chain.cipher else "has no cipher"
                raise CodecNotAcceptedError(
                    f"The row is sealed with {name}, and this codec {here}. Was the codec setting "
                    f"lost or changed? Configure that cipher, or accept it for a migration."
                )
            box = self._boxes[name] = guards.bind(cipher, self._namespace, self._context)
        return box

    def _decode_foreign(self, stored: Stored) -> Item:
        """Read what is no envelope: bare JSON, and what the accepted readers recognise."""
        chain = self._chain
        if envelope.is_linked(stored):
            raise CodecNotAcceptedError(
                "The row is linked by a ledger, and this store has none: pass ledger=Ledger(…)."
            )
        if isinstance(stored, bytes) and envelope.has_text_magic(stored):
            raise EnvelopeError("The row is in its text form, in a binary column.")
        if _size(stored, chain.max_size) > chain.max_size:
            raise _too_large(chain.max_size)
        outcome = self._read_foreign(stored)
        if outcome is guards.NOT_MINE:
            self._check_plaintext(stored)
            if chain.cipher is None and is_fernet_token(stored):
                raise CodecNotAcceptedError(
                    "The row is a Fernet token, and this codec has no cipher. Was a setting lost? "
                    "What an application sealed itself, accept=(FernetTokenReader(keys),) reads."
                )
            outcome = guards.loads(_known(chain.serializers, "serializer", "json"), stored)
        if isinstance(outcome, StrongroomError):
            del stored
            raise outcome
        return outcome

    def _read_foreign(self, stored: Stored) -> Outcome:
        """Read by the first accepted reader that recognises a row."""
        for reader in self._chain.readers:
            outcome = guards.read(reader, stored, self._context)
            if outcome is not guards.NOT_MINE:
                return outcome
        return guards.NOT_MINE

    def _check_plaintext(self, stored: Stored) -> None:
        allowed = self._chain.plaintext
        if allowed is not None and not allowed(stored):
            raise PlaintextRefusedError(
                "The row is not sealed by strongroom, and this codec reads sealed rows only. Left "
                'from before encryption? Then accept=("plaintext",), or the reader for what wrote '
                "it, reads it until it is recoded. If not, somebody else has written it."
            )


def _open_all(plan: _Plan, stored: Sequence[Any]) -> list[bytes] | None:
    """Open rows that begin with the plan's header; None if one of them does not."""
    header, box = plan.header, plan.box
    text = isinstance(stored[0], str)
    prefix = envelope.to_text(header) if text else header
    if (text and len(header) % 3) or not all(value.startswith(prefix) for value in stored):
        return None
    bodies: list[Any] = [value[len(prefix) :] for value in stored]
    if text and isinstance(box, FernetBox):
        for body in bodies:
            envelope.check_canonical(body)
        return [box.open_text(body, header) for body in bodies]
    if text:
        bodies = list(map(envelope.decode_text, bodies))
        if None in bodies:
            return None
    return bodies if box is None else [box.open(body, header) for body in bodies]


def _loads_all(serializer: Serializer, payloads: Sequence[Any]) -> list[Outcome] | None:
    """Parse many; None, or any error, if they are better parsed one by one."""
    if type(serializer) is OrjsonSerializer:  # a subclass may have a way of its own
        return serializer.loads_many(payloads)
    return list(map(serializer.loads, payloads))


def _size(stored: Stored, bound: int) -> int:
    """Return the bytes of a value, counted only where the characters do not tell."""
    if isinstance(stored, bytes) or stored.isascii() or len(stored) > bound:
        return len(stored)
    return len(stored.encode("utf-8", "surrogatepass"))


def _unpack(plan: _Plan, data: bytes, max_size: int) -> Outcome:
    """Decompress and parse."""
    if plan.compressor is not None:
        unpacked = guards.decompress(plan.compressor, data, max_size)
        if isinstance(unpacked, StrongroomError):
            return unpacked
        data = unpacked
    if len(data) > max_size:
        return _too_large(max_size)
    outcome = guards.loads(plan.serializer, data)
    if isinstance(outcome, NotJSONError):
        # That error is for bare rows, which anybody may have written and sessions may leave out.
        return PayloadError("What the row holds is not the JSON that its header promises.")
    return outcome


def _too_large(max_size: int) -> PayloadError:
    return PayloadError(f"The row decodes to more than the {max_size} bytes of max_size.")


def _known(own: Mapping[str, Any], kind: Literal["serializer", "compressor"], name: str) -> Any:
    """Return a stage of the codec, or the built-in one; a row never makes us load another."""
    stage = own.get(name) or registry.built_in(kind, name)
    if stage is None:
        raise CodecNotAcceptedError(
            f"The row needs the {kind} {name!r}, which this codec neither has nor accepts: "
            f"install what provides it, and name it in accept."
        )
    return stage
