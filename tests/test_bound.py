"""A codec bound to a session: what it maps, what it bounds, and many rows at once."""

import json
import multiprocessing
import os
from importlib.metadata import EntryPoint

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from strongroom import (
    AesGcmCipher,
    AuthenticationError,
    Codec,
    CodecNotAcceptedError,
    ConfigurationError,
    DecodeError,
    EncodeError,
    FernetTokenReader,
    JsonSerializer,
    Key,
    Keyring,
    OrjsonSerializer,
    PayloadError,
    StrongroomError,
)
from strongroom.codec import registry
from strongroom.codec.ciphers import _subkeys
from strongroom.format.envelope import build_header, column_text, is_envelope

KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(100, 132)))
RING = Keyring(KEY)
SECRET = "The code of the safe is 8-12-40."
ITEM = {"role": "user", "content": SECRET}
JSON = json.dumps(ITEM).encode()


def seal(data, spec="json+aesgcm", key=KEY):
    """Return a row that opens and holds these bytes."""
    serializer, *compressor, cipher = spec.split("+")
    header = build_header(serializer, *(compressor or [None]), cipher, key.id)
    stage = Codec.parse(spec, keys=Keyring(key)).cipher
    return header + stage.bind("", "s").seal(data, header)


@pytest.mark.parametrize("spec", ["json", "msgpack", "msgpack+zlib", "orjson+aesgcm"])
def test_what_cannot_be_stored_is_named_by_its_path(spec):
    codec = Codec.parse(spec, keys=RING if "aesgcm" in spec else None)
    item = {"content": SECRET, "parts": [1, {"id": object()}]}
    with pytest.raises(EncodeError) as caught:
        codec.encode(item, context="s")
    assert caught.value.path == "$.*[1].id"
    assert SECRET not in str(caught.value)


# Stages of third parties -------------------------------------------------------------------------


class Faulty:
    """Raises its fault, if it has one, whatever it is asked to do."""

    def __init__(self, name, fault=None):
        self.name, self.fault = name, fault

    def _pass(self, data):
        if self.fault:
            raise self.fault
        return data


class FaultySerializer(Faulty):
    def dumps(self, item):
        return self._pass(json.dumps(item).encode())

    def loads(self, data):
        return json.loads(self._pass(data))


class FaultyCompressor(Faulty):
    def compress(self, data):
        return self._pass(data)

    def decompress(self, data, *, max_size):
        return self._pass(data)


class FaultyCipher(Faulty):
    def bind(self, namespace, context):
        return self

    def seal(self, payload, header):
        return self._pass(payload)

    def open(self, body, header):
        return self._pass(body)


FAULTS = [ValueError(SECRET), KeyError(SECRET), MemoryError(), RecursionError(), OSError(SECRET)]


def codecs(fault):
    json_ = JsonSerializer()
    yield Codec(FaultySerializer("third", fault)), PayloadError
    yield Codec(json_, compressor=FaultyCompressor("third", fault)), PayloadError
    yield Codec(json_, cipher=FaultyCipher("third", fault)), AuthenticationError


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_whatever_a_stage_raises_becomes_a_typed_error(fault):
    for (sound, _), (faulty, expected) in zip(codecs(None), codecs(fault), strict=True):
        row = sound.encode(ITEM, context="s")
        assert sound.decode(row, context="s") == ITEM
        with pytest.raises(EncodeError, match=type(fault).__name__) as encoding:
            faulty.encode(ITEM, context="s")
        with pytest.raises(expected, match=type(fault).__name__) as decoding:
            faulty.decode(row, context="s")
        for caught in (encoding, decoding):
            assert SECRET not in str(caught.value)
            assert caught.value.__context__ is None


def test_what_a_third_partys_compressor_returns_is_bounded():
    codec = Codec(JsonSerializer(), compressor=FaultyCompressor("third"), max_size=10)
    row = build_header("json", "third") + JSON
    with pytest.raises(PayloadError, match="max_size"):
        codec.decode(row, context="s")


def test_a_row_never_loads_the_stage_that_it_names(monkeypatch):
    evil = EntryPoint("evil", "this:evil", "strongroom.ciphers")
    monkeypatch.setattr(registry, "_points", lambda kind: {"evil": [evil]})
    monkeypatch.setattr(EntryPoint, "load", lambda point: pytest.fail(f"{point} was loaded"))
    rows = (
        build_header("evil") + JSON,
        build_header("json", "evil") + JSON,
        build_header("json", None, "evil") + JSON,
    )
    codec = Codec.parse("json+aesgcm", keys=RING, accept=("plaintext",))
    for reader in (Codec.parse("json"), codec):
        for row in rows:
            with pytest.raises(CodecNotAcceptedError, match="evil"):
                reader.decode(row, context="s")


class FaultyReader(Faulty):
    def matches(self, stored):
        return True

    def decode(self, stored, *, context):
        return self._pass(stored)


def test_whatever_a_third_partys_reader_raises_becomes_a_typed_error():
    codec = Codec(JsonSerializer(), accept=(FaultyReader("third", KeyError(SECRET)),))
    with pytest.raises(DecodeError, match="KeyError") as caught:
        codec.decode("row", context="s")
    assert SECRET not in str(caught.value)


def test_whatever_a_third_partys_bind_raises_becomes_a_typed_error(monkeypatch):
    cipher = FaultyCipher("third")
    row = Codec(JsonSerializer(), cipher=cipher).encode(ITEM, context="s")
    monkeypatch.setattr(FaultyCipher, "bind", lambda *_: {}["not there"])
    with pytest.raises(DecodeError):
        Codec(JsonSerializer(), accept=(cipher,)).decode(row, context="s")


class Careful(FaultySerializer):
    """Raises our own error, and leaves the document hanging on it."""

    def loads(self, data):
        try:
            return json.loads(data)
        except json.JSONDecodeError as error:
            raise PayloadError("not JSON") from error


def test_a_payload_error_of_a_third_party_is_stripped_of_its_cause():
    codec = Codec(Careful("third"), cipher=FaultyCipher("third"))
    row = build_header("third", None, "third") + JSON + b"?"
    with pytest.raises(PayloadError) as caught:
        codec.decode(row, context="s")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("name", ["json", "orjson", "msgpack"])
def test_what_a_stage_with_a_serializers_name_writes_can_be_read_or_is_refused(name):
    try:
        codec = Codec(JsonSerializer(), compressor=FaultyCompressor(name))
    except ConfigurationError:
        return
    assert codec.decode(codec.encode(ITEM, context="s"), context="s") == ITEM


def test_max_size_bounds_what_readers_read():
    token = Fernet(KEY.to_base64()).encrypt(JSON)
    codec = Codec(JsonSerializer(), accept=(FernetTokenReader(RING),), max_size=20)
    with pytest.raises(PayloadError, match="max_size"):
        codec.decode(token, context="s")


def test_a_context_that_utf8_cannot_hold_is_a_typed_error():
    with pytest.raises((StrongroomError, ValueError)) as caught:
        Codec.parse("json+aesgcm", keys=RING).encode(ITEM, context="\ud800")
    assert type(caught.value) is not UnicodeEncodeError


# Many rows ---------------------------------------------------------------------------------------

MANY = [JSON, b"1", b"no JSON", b"[1,2]", b"1,2", seal(JSON), seal(JSON)[:9], b"\xff", b""]
MANY += [Codec.parse("msgpack+zlib").encode(ITEM, context="s"), seal(JSON, key=OTHER)]


@given(rows=st.lists(st.sampled_from(MANY), max_size=12), sealing=st.booleans())
def test_many_rows_are_read_as_one_by_one(rows, sealing):
    codec = Codec.parse("orjson+aesgcm", keys=RING) if sealing else Codec.parse("orjson")
    bound = codec.bind("s")

    def one(row):
        try:
            return bound.decode(row)
        except DecodeError as error:
            return type(error)

    outcomes = bound.decode_many(rows)
    assert [type(o) if isinstance(o, DecodeError) else o for o in outcomes] == list(map(one, rows))


ALIKE = [ITEM, {"n": 2**70}, ["€", None, True, -0.5], "", 12, {"deep": [[[{}]]]}]
SPECS = ["orjson", "json", "json+zlib", "msgpack", "msgpack+zstd+aesgcm", "orjson+aesgcm"]
SPECS += ["orjson+fernet", "json+zlib+fernet"]


def oddities(row, spec):
    """Return rows that do not belong among those that are alike, from one that does."""
    keys = RING if "+" in spec and spec.rpartition("+")[2] in {"fernet", "aesgcm"} else None
    elsewhere = Codec.parse(spec, keys=keys).bind("elsewhere").encode(ITEM)
    odd = [elsewhere, row[:-1], row + b"\n", row + b"A", row[:10], b"", JSON, b'"', b"waUBAQ"]
    odd += [seal(JSON), seal(JSON, key=OTHER), seal(b"not JSON"), build_header("json") + JSON]
    for place in {min(place, len(row) - 1) for place in (3, 5, 14, 20, len(row) - 1)}:
        odd.append(row[:place] + bytes([row[place] ^ 1]) + row[place + 1 :])
    return [*odd, b"\xc1\xa6\x01" + row, b'{"__enc__":1,"v":1,"kid":"x","payload":"y"}']


@given(
    spec=st.sampled_from(SPECS),
    items=st.lists(st.sampled_from(ALIKE), min_size=1, max_size=8),
    text=st.booleans(),
    lenient=st.booleans(),
    small=st.booleans(),
    data=st.data(),
)
def test_an_odd_row_among_many_that_are_alike_is_read_as_by_itself(
    spec, items, text, lenient, small, data
):
    keys = RING if spec.rpartition("+")[2] in {"fernet", "aesgcm"} else None
    accept = ("plaintext",) if lenient and keys else ()
    codec = Codec.parse(spec, keys=keys, accept=accept)
    alike = codec.bind("s").encode_many(items)
    rows = list(alike)
    for _ in range(data.draw(st.integers(0, 2))):
        odd = data.draw(st.sampled_from(oddities(alike[0], spec)))
        rows.insert(data.draw(st.integers(0, len(rows))), odd)
    if text:
        rows = [column_text(row) if is_envelope(row) else row.decode("latin-1") for row in rows]
    if text and data.draw(st.booleans()):
        rows.insert(data.draw(st.integers(0, len(rows))), data.draw(st.sampled_from([b"[]", "wa"])))
    bound = Codec.parse(spec, keys=keys, accept=accept, **({"max_size": 400} if small else {}))
    bound = bound.bind("s")

    def one(row):
        try:
            return bound.decode(row)
        except DecodeError as error:
            return type(error)

    outcomes = bound.decode_many(rows)
    assert [type(o) if isinstance(o, DecodeError) else o for o in outcomes] == list(map(one, rows))


class Loud(OrjsonSerializer):
    """A subclass that reads in its own way."""

    def loads(self, data):
        return super().loads(data) | {"loud": True}


class Lenient(JsonSerializer):
    """A subclass that takes any text for a message, as a migration may want it."""

    def loads(self, data):
        try:
            return super().loads(data)
        except PayloadError:
            return {"content": str(data)}


def test_what_a_lenient_subclass_reads_does_not_depend_on_the_row_before():
    others = [column_text(seal(JSON)), Fernet(KEY.to_base64()).encrypt(JSON).decode(), "waYB" + "A"]
    bound = Codec(Lenient()).bind("s")
    alone = [bound.decode_many([row])[0] for row in others]
    assert [type(outcome) for outcome in alone] == [CodecNotAcceptedError] * 3
    among = bound.decode_many(["{}", *others])
    assert among[0] == {}
    assert list(map(type, among[1:])) == list(map(type, alone))


class Growing(FaultyCipher):
    """A cipher of a third party whose bodies are shorter than what they hold."""

    def open(self, body, header):
        return b'"' + body * 1000 + b'"'


def test_max_size_bounds_what_a_cipher_of_a_third_party_opens():
    row = build_header("json", None, "third") + b"x"
    bound = Codec(JsonSerializer(), cipher=Growing("third"), max_size=900).bind("s")
    outcomes = bound.decode_many([row] * 3)
    assert list(map(type, outcomes)) == [PayloadError] * 3
    bound = Codec(JsonSerializer(), cipher=Growing("third"), max_size=9000).bind("s")
    assert bound.decode_many([row] * 3) == ["x" * 1000] * 3


@pytest.mark.parametrize("cipher", [None, AesGcmCipher(RING)], ids=["bare", "sealed"])
def test_a_subclass_of_a_serializer_reads_many_rows_in_its_own_way(cipher):
    bound = Codec(Loud(), cipher=cipher).bind("s")
    assert bound.decode_many(bound.encode_many([ITEM] * 3)) == [ITEM | {"loud": True}] * 3


def test_a_subkey_is_derived_once_for_many_rows(monkeypatch):
    derived = []
    derive = Key.derive
    monkeypatch.setattr(Key, "derive", lambda key, info: derived.append(info) or derive(key, info))
    bound = Codec.parse("json+aesgcm", keys=RING).bind("s")
    bound.decode_many(bound.encode_many([ITEM] * 50))
    assert len(derived) == 1


def test_headers_that_a_writer_makes_up_do_not_fill_the_memory():
    bound = Codec.parse("json+aesgcm", keys=RING).bind("s")
    row = seal(JSON)
    for number in range(1000):
        made_up = row[:6] + number.to_bytes(9, "big") + row[15:]
        assert isinstance(bound.decode_many([made_up])[0], DecodeError)
    assert len(bound._plans) <= 64
    assert bound.decode(row) == ITEM
    assert _subkeys._CACHED_HEADERS <= 64


def _write(bound, results):
    results.put([column_text(row) for row in bound.encode_many([ITEM] * 25)])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # of pytest's own threads
@pytest.mark.parametrize("spec", ["json+fernet", "msgpack+zstd+aesgcm"])
def test_forked_processes_write_different_rows_for_one_item(spec):
    bound = Codec.parse(spec, keys=RING).bind("s")
    bound.encode(ITEM)
    fork = multiprocessing.get_context("fork")
    results = fork.Queue()
    children = [fork.Process(target=_write, args=(bound, results)) for _ in range(4)]
    for child in children:
        child.start()
    rows = [row for _ in children for row in results.get(timeout=60)]
    for child in children:
        child.join()
    assert len(set(rows)) == len(rows) == 100
    assert bound.decode_many(rows) == [ITEM] * 100
