"""A row builds no more than the bounds of its reader allow, and a call decodes no more in total."""

import json
import traceback
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom import (
    Codec,
    ConfigurationError,
    EncodeError,
    JsonSerializer,
    Key,
    Keyring,
    MsgpackSerializer,
    OrjsonSerializer,
    PayloadError,
    ZlibCompressor,
    ZstdCompressor,
    describe,
)
from strongroom.format import envelope
from strongroom.format.envelope import build_header, column_text

MIB = 1 << 20
KEYS = Keyring(Key(bytes(range(32))))
SERIALIZERS = (JsonSerializer(), OrjsonSerializer(), MsgpackSerializer())
SECRET = "The code of the safe is 8-12-40."

# Many empty containers each, which take sixty bytes apiece when they are built.
MANY = 100_000
BOMBS = {
    "msgpack, arrays": ("msgpack", b"\xdd" + MANY.to_bytes(4, "big") + b"\x90" * MANY),
    "msgpack, maps": ("msgpack", b"\xdd" + MANY.to_bytes(4, "big") + b"\x80" * MANY),
    "msgpack, arrays in small arrays": (
        "msgpack",
        b"\xdc\x01\xff" + (b"\xdc\0\xff" + b"\x90" * 0xFF) * 0x01FF,
    ),
    "json, arrays": ("json", b"[" + b"[]," * MANY + b"[]]"),
    "json, objects": ("json", b"[" + b"{}," * MANY + b"{}]"),
    "json, objects with a key": ("json", b"[" + b'{"":[]},' * (MANY // 2) + b"{}]"),
}


def packed(serializer, data, compressor):
    return build_header(serializer, compressor.name) + compressor.compress(data)


def peak_of(action):
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("compressor", [ZlibCompressor(), ZstdCompressor()], ids=["zlib", "zstd"])
@pytest.mark.parametrize(("serializer", "data"), BOMBS.values(), ids=BOMBS)
def test_a_small_row_of_many_containers_is_refused_before_it_is_built(serializer, data, compressor):
    row = packed(serializer, data, compressor)
    bound = Codec.parse("orjson", max_values=50_000).bind("s")
    Codec.parse("orjson").decode(row, context="s")  # By the default it is not too much.

    def read():
        with pytest.raises(PayloadError, match="max_values"):
            bound.decode(row)
        (outcome,) = bound.decode_many([column_text(row)])
        assert isinstance(outcome, PayloadError)

    assert peak_of(read) < 8 * len(data) + 100_000


def test_arrays_that_claim_what_they_do_not_have_take_no_memory():
    claims = b"\xdc\xff\xff" * 1000 + b"\xc0" * 80_000
    with pytest.raises(PayloadError):
        MsgpackSerializer().loads(claims)  # The library's own exceptions are made here.

    def read():
        with pytest.raises(PayloadError, match="truncated"):
            MsgpackSerializer().loads(claims)

    assert peak_of(read) < MIB


@pytest.mark.parametrize("size", [1000, 1024, 1025, 9000])
def test_long_arrays_of_msgpack_come_back(size):
    item = [{"n": [number, [number]]} for number in range(size)]
    assert MsgpackSerializer().loads(MsgpackSerializer().dumps(item)) == item
    with pytest.raises(PayloadError):
        MsgpackSerializer().loads(MsgpackSerializer().dumps(item)[:-1])


def values_of(item):
    if isinstance(item, dict):
        return 1 + sum(map(values_of, item.values()))
    return 1 + sum(map(values_of, item)) if isinstance(item, list) else 1


texts = st.text(st.sampled_from('",[]{}\\:é a'), max_size=8)
items = st.recursive(
    st.none() | st.integers() | st.floats(allow_nan=False) | texts | st.sampled_from(["x" * 300]),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(texts, inner, max_size=20),
)


@pytest.mark.parametrize("serializer", SERIALIZERS, ids=lambda serializer: serializer.name)
@given(item=items, data=st.data())
def test_the_values_of_an_item_are_what_is_bounded(serializer, item, data):
    count = values_of(item)
    size = len(serializer.dumps(item))
    enough, short = count, count - 1
    codec = Codec(serializer, max_values=max(enough, size // 64 + 1))
    assert codec.decode(codec.encode(item, context="s"), context="s") == item
    if short <= size // 64:
        return  # Few values are not counted exactly.
    row = Codec(serializer).encode(item, context="s")
    narrow = Codec(serializer, max_values=short)
    with pytest.raises(EncodeError, match="max_values"):
        narrow.encode(item, context="s")
    for stored in (row, column_text(row)):
        with pytest.raises(PayloadError, match="max_values"):
            narrow.decode(stored, context="s")
        outcomes = narrow.bind("s").decode_many([stored, stored])
        assert list(map(type, outcomes)) == [PayloadError, PayloadError]


@pytest.mark.parametrize("spec", ["json", "orjson+zlib", "msgpack", "msgpack+zstd+aesgcm"])
def test_what_is_written_within_the_bounds_can_be_read_within_them(spec):
    keys = KEYS if spec.endswith("aesgcm") else None
    codec = Codec.parse(spec, keys=keys, max_size=4000, max_values=500, max_total=64_000)
    bound = codec.bind("s")
    for item in (list(range(499)), ["x" * 3000], [[]] * 499, {str(n): n for n in range(200)}):
        assert bound.decode(bound.encode(item)) == item
        assert bound.decode_many([bound.encode(item)]) == [item]
    for item in (list(range(500)), [[]] * 500, ["x" * 4001]):
        with pytest.raises(EncodeError, match="max_"):
            bound.encode(item)


def test_the_defaults():
    codec = Codec.parse("json")
    assert (codec.max_size, codec.max_values, codec.max_total) == (64 * MIB, 8 * MIB, 512 * MIB)
    assert Codec.parse("json", max_size=8000).max_values == 1000
    assert Codec.parse("json", max_size=256 * MIB).max_total == 2048 * MIB
    assert Codec.parse("json", max_size=1000, max_total=6400).max_values == 100
    assert Codec.parse("json", max_values=10**9).max_values == 64 * MIB


@pytest.mark.parametrize(
    "bounds",
    [
        *[
            {name: value}
            for name in ("max_values", "max_total")
            for value in (0, -1, True, "1", 1.5)
        ],
        {"max_size": 1000, "max_total": 999},
        {"max_size": 1000, "max_values": 100, "max_total": 6399},
    ],
)
def test_bounds_that_make_no_sense_are_refused(bounds):
    with pytest.raises(ConfigurationError, match="max_"):
        Codec.parse("json", **bounds)


def rows_of(spec, items, **options):
    keys = KEYS if spec.endswith("aesgcm") else None
    codec = Codec.parse(spec, keys=keys, **options)
    return codec.bind("s"), codec.bind("s").encode_many(items)


@pytest.mark.parametrize("spec", ["json", "orjson", "orjson+aesgcm", "msgpack+zlib+aesgcm"])
def test_one_call_decodes_so_many_bytes_in_total(spec):
    items = [{"text": f"{number:_>990}"} for number in range(20)]
    bounds = {"max_size": 2000, "max_values": 100}
    bound, rows = rows_of(spec, items, **bounds, max_total=25_000)
    assert bound.decode_many(rows) == items
    bound, rows = rows_of(spec, items, **bounds, max_total=15_000)
    assert bound.decode_many(rows[:14]) == items[:14]
    with pytest.raises(PayloadError, match=r"limit.*iter_items") as caught:
        bound.decode_many(rows)
    assert "_____" not in "".join(traceback.format_exception(caught.value))
    captured = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = [repr(frame.locals) for frame in captured.stack if frame.filename != __file__]
    assert not any("{'text'" in text for text in shown)


@pytest.mark.parametrize("spec", ["orjson+zlib", "msgpack+zlib"])
def test_values_count_as_what_they_take_in_memory(spec):
    """A handful of rows of a few hundred bytes each would take a gigabyte."""
    items = [[[]] * 20_000] * 10
    bound, rows = rows_of(spec, items, max_size=MIB, max_values=40_000, max_total=7_000_000)
    assert sum(map(len, rows)) < 3_000

    def read():
        with pytest.raises(PayloadError, match="max_total"):
            bound.decode_many(rows)

    assert peak_of(read) < 10 * MIB
    assert bound.decode_many(rows[:5]) == items[:5]


def test_a_bad_row_is_an_outcome_and_does_not_count_as_too_much():
    bound, rows = rows_of("orjson+zlib+aesgcm", [{"n": 1}, {"n": 2}])
    outcomes = bound.decode_many([rows[0], rows[1][:-1] + b"?", rows[1]])
    assert [outcomes[0], outcomes[2]] == [{"n": 1}, {"n": 2}]


def test_made_up_key_ids_do_not_keep_an_honest_header_from_being_remembered(monkeypatch):
    bound, (row, *_) = rows_of("orjson+aesgcm", [{"n": 1}])
    made_up = [row[:6] + number.to_bytes(9, "big") + row[15:] for number in range(100)]
    for stored in made_up:
        bound.decode_many([stored])
    parsed = []
    parse = envelope.parse
    monkeypatch.setattr(envelope, "parse", lambda row: parsed.append(row) or parse(row))
    for _ in range(10):
        assert bound.decode(row) == {"n": 1}
    assert len(parsed) == 1


def test_forged_bodies_do_not_keep_an_honest_header_from_being_remembered(monkeypatch):
    bound, (row, *_) = rows_of("orjson+aesgcm", [{"n": 1}])
    for name in range(100):
        made_up = build_header("orjson", f"c{name}", "aesgcm", KEYS.primary.id)
        bound.decode_many([made_up + row[15:]])
    parsed = []
    parse = envelope.parse
    monkeypatch.setattr(envelope, "parse", lambda row: parsed.append(row) or parse(row))
    assert [bound.decode(row) for _ in range(5)] == [{"n": 1}] * 5
    assert len(parsed) == 1


@pytest.mark.parametrize("form", [str, str.encode], ids=["text", "binary"])
def test_describe_builds_no_more_than_the_default_allows(form, monkeypatch):
    text = '{"__enc__":1,"v":1,"kid":"x","payload":[' + "[]," * 60_000 + "[]]}"
    assert describe(form(text)).format == "encrypted-session"
    monkeypatch.setattr("strongroom.codec.readers._forms.MAX_VALUES", 10_000)
    assert peak_of(lambda: describe(form(text))) < 5 * len(text) + 100_000
    assert describe(form(text)).format == "unknown"


def test_a_foreign_form_is_bounded_before_it_is_recognised():
    """A reader of EncryptedSession's rows has to parse what looks like one."""
    text = '{"__enc__":1,"v":1,"kid":"x","payload":[' + "[]," * 60_000 + "[]]}"
    codec = Codec.parse("orjson", max_values=10_000)

    def read():
        with pytest.raises(PayloadError, match="max_values"):
            codec.decode(text, context="s")

    assert peak_of(read) < 5 * len(text) + 100_000
    assert json.loads(text[:40] + "1]}")["v"] == 1
