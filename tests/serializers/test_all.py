"""What must hold for every serializer: json.loads(json.dumps(item)) is the reference."""

import contextlib
import copy
import dataclasses
import datetime as dt
import decimal
import enum
import json
import pickle
import re
import sys
import threading
import uuid
from collections import OrderedDict, namedtuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strongroom.codec.serializers import JsonSerializer, MsgpackSerializer, OrjsonSerializer
from strongroom.errors import EncodeError, NotJSONError, PayloadError
from strongroom.protocols import Serializer

ALL = [
    pytest.param(JsonSerializer(), id="json"),
    pytest.param(JsonSerializer(ensure_ascii=False), id="json-unicode"),
    pytest.param(OrjsonSerializer(), id="orjson"),
    pytest.param(MsgpackSerializer(), id="msgpack"),
]
JSON = ALL[:3]
SECRET = "s3cret-value"


def shape(value):
    """Tell apart what == does not: types, key order, NaN, -0.0."""
    if isinstance(value, dict):
        return type(value), [(shape(key), shape(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [shape(item) for item in value]
    return type(value), repr(value)


def by_json(item):
    return json.loads(json.dumps(item))


def nested(levels, *, kind):
    item = "leaf"
    for level in range(levels):
        item = {"k": item} if kind == "dict" or (kind == "both" and level % 2) else [item]
    return item


def called_from(frames, function):
    return function() if frames == 0 else called_from(frames - 1, function)


class Text(str):
    def __str__(self):
        return "overridden"


class Number(int):
    def __repr__(self):
        return "overridden"


class Real(float):
    def __repr__(self):
        return "overridden"


class Mapping(dict):
    def items(self):
        return [("from", "items")]


class Sequence(list):
    def __iter__(self):
        return iter(["from", "iter"])


Point = namedtuple("Point", "x y")
Colour = enum.Enum("Colour", {"RED": SECRET})
Level = enum.IntEnum("Level", {"LOW": 1})
Word = enum.StrEnum("Word", {"A": "word"})


@dataclasses.dataclass
class Data:
    value: str = SECRET


text = st.text(st.characters() | st.sampled_from(["\ud800", "\udfff", "\ud83d", "\ude00"]))
integers = st.integers() | st.integers(-(2**70), 2**70) | st.sampled_from([2**63, 2**64, -(2**63)])
scalars = st.none() | st.booleans() | integers | st.floats() | text
keys = text | st.integers() | st.floats() | st.booleans() | st.none()
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner, max_size=5)
    ),
)


@pytest.mark.parametrize("serializer", ALL)
@settings(deadline=None)
@given(item=json_values)
@example(item={"1": "first", "b": 2, 1: "last"})
@example(item={"\ud83d\ude00": 1, "\U0001f600": 2})
@example(item=["\ud83d\ude00", "\ude00\ud83d", {"\ud800": {"\udc00": "\ud800 and \U0001f600"}}])
@example(item=[-0.0, 5e-324, 1.7976931348623157e308, float("nan"), float("inf"), -float("inf")])
@example(item=[2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, float(2**64), 1e300])
@example(item=[{float("nan"): 1, float("inf"): 2, True: 3, None: 4, 1.5: 5, 2**80: 6}])
def test_whatever_json_preserves_is_preserved_with_the_same_result(serializer, item):
    assert shape(serializer.loads(serializer.dumps(item))) == shape(by_json(item))


@pytest.mark.parametrize("serializer", ALL)
@pytest.mark.parametrize("extra", ["fast path", "\ud800"])
def test_large_items_are_preserved(serializer, extra):
    item = [extra, "x" * 70_000, ["a"] * 70_000, {str(n): n for n in range(70_000)}]
    assert serializer.loads(serializer.dumps(item)) == item


@pytest.mark.parametrize("serializer", ALL)
@pytest.mark.parametrize(
    "item",
    [
        Text("plain"),
        Number(7),
        Real(1.5),
        Real("nan"),
        Number(2**80),
        Text("\ud800"),
        OrderedDict(b=1, a=2),
        Mapping(ignored=1),
        Sequence(["ignored"]),
        Point(1, 2),
        Level.LOW,
        Word.A,
        {Text("key"): 1, Number(2): 2, Real(0.5): 3, Level.LOW: 4, Word.A: 5},
    ],
    ids=lambda item: type(item).__name__,
)
def test_subclasses_become_base_values(serializer, item):
    restored = serializer.loads(serializer.dumps([item]))
    assert shape(restored) == shape(by_json([item]))


@pytest.mark.parametrize("serializer", ALL)
@pytest.mark.parametrize("kind", ["dict", "list", "both"])
@pytest.mark.parametrize("levels", [254, 255, 500])
@pytest.mark.parametrize("frames", [0, 150])
def test_nesting_is_preserved_even_deep_in_the_stack(serializer, kind, levels, frames):
    item = nested(levels, kind=kind)
    data = called_from(frames, lambda: serializer.dumps(item))
    assert called_from(frames, lambda: serializer.loads(data)) == item


@pytest.mark.parametrize("serializer", ALL)
@pytest.mark.parametrize("sign", [1, -1])
def test_integers_have_up_to_4300_digits(serializer, sign):
    largest = sign * (10**4300 - 1)
    assert serializer.loads(serializer.dumps([largest])) == [largest]
    with pytest.raises(EncodeError) as caught:
        serializer.dumps({"n": [largest * 10]})
    assert caught.value.path == "$.*[0]"


REFUSED = [
    uuid.UUID(int=0x1234),
    Colour.RED,
    dt.datetime(2024, 5, 6),
    dt.date(2024, 5, 6),
    dt.timedelta(1),
    {SECRET},
    bytearray(SECRET.encode()),
    memoryview(SECRET.encode()),
    Data(),
    decimal.Decimal("1.5"),
    1j,
    object(),
    iter([SECRET]),
    range(3),
]


@pytest.mark.parametrize("serializer", ALL)
@pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("extra", [None, {1: 2}, "\ud800", 2**70])
def test_what_json_refuses_is_refused_with_path_and_type_alone(serializer, value, extra):
    item = {"x": extra, "content": [{"id": value}]}
    with pytest.raises(EncodeError) as caught:
        serializer.dumps(item)
    error = caught.value
    assert error.path == "$.content[0].id"
    assert error.path in str(error)
    assert type(value).__name__ in str(error)
    assert SECRET not in repr(error)
    assert str(value) not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("serializer", ALL)
@pytest.mark.parametrize("key", [(SECRET,), Colour.RED, uuid.UUID(int=1), b"key", frozenset()])
def test_keys_that_json_refuses_are_refused_at_their_dict(serializer, key):
    with pytest.raises(EncodeError) as caught:
        serializer.dumps({"content": [0, {"fine": 1, key: 2}]})
    assert caught.value.path == "$.content[1]"
    assert type(key).__name__ in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("serializer", ALL)
@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({1}, "$"),
        ({"role": {1}}, "$.role"),
        ({"": {1}}, "$.*"),
        ({1: {1}}, "$.*"),
        ({"\ud800": {1}}, "$.*"),
        ([[], {}, [1, ({1},)]], "$[2][1][0]"),
        ({"a": {"b": 1}, "output": [{"d": 1}, {"call_id": {1}}]}, "$.output[1].call_id"),
    ],
)
def test_the_path_is_exact(serializer, item, path):
    with pytest.raises(EncodeError, match=re.escape(path)) as caught:
        serializer.dumps(item)
    assert caught.value.path == path


@pytest.mark.parametrize("serializer", ALL)
@pytest.mark.parametrize("key", [SECRET, "secret", "roles", "Role", "content "])
def test_the_path_shows_no_key_that_may_be_content(serializer, key):
    with pytest.raises(EncodeError) as caught:
        serializer.dumps({"content": [{key: {"id": {1}}}]})
    assert caught.value.path == "$.content[0].*.id"
    assert key not in str(caught.value).replace("$.content", "")


@pytest.mark.parametrize("serializer", ALL)
def test_a_circle_is_refused_where_it_closes(serializer):
    shared = [1]
    inner = {"twice": [shared, shared], "list": []}
    inner["list"].append(inner)
    with pytest.raises(EncodeError) as caught:
        serializer.dumps({"output": inner})
    assert caught.value.path == "$.output.*[0]"


@pytest.mark.parametrize("serializer", ALL)
def test_what_occurs_twice_is_no_circle(serializer):
    shared = [{1: "slow path"}]
    assert serializer.loads(serializer.dumps([shared, shared])) == [[{"1": "slow path"}]] * 2


@pytest.mark.parametrize("serializer", ALL)
@pytest.mark.parametrize("kind", ["dict", "list"])
def test_nesting_without_end_is_refused(serializer, kind):
    with pytest.raises(EncodeError, match="deep") as caught:
        serializer.dumps(nested(50_000, kind=kind))
    assert caught.value.path == "$"
    assert caught.value.__context__ is None


@pytest.mark.parametrize("serializer", ALL)
def test_an_item_is_left_as_it_was(serializer):
    item = {"a": (1, [2.5, {3: "\ud800"}]), "b": float(2**70)}
    before = copy.deepcopy(item)
    serializer.dumps(item)
    assert shape(item) == shape(before)


@pytest.mark.parametrize("serializer", ALL)
@settings(deadline=None)
@given(item=json_values, cut=st.integers(1, 40), junk=st.binary(min_size=1, max_size=3))
def test_only_exactly_one_whole_document_is_read(serializer, item, cut, junk):
    data = serializer.dumps([item])
    with pytest.raises(PayloadError):
        serializer.loads(data[:-cut])
    if junk.strip(b" \t\r\n") or serializer.name == "msgpack":
        with pytest.raises(PayloadError):
            serializer.loads(data + junk)


@pytest.mark.parametrize("serializer", ALL)
@settings(deadline=None)
@given(data=st.binary())
def test_any_bytes_are_an_item_or_a_payload_error(serializer, data):
    with contextlib.suppress(PayloadError):
        serializer.dumps(serializer.loads(data))


@pytest.mark.parametrize("serializer", JSON)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"  ",
        b'{"secret": tru}',
        b'["secret"',
        b'["secret"]]',
        b"'secret'",
        b'["secret",]',
        b'\xef\xbb\xbf["secret"]',
        b'"secret\xed\xa0\x80"',
        b'"secret\xff"',
        b'"\xc0\xaf secret"',
        b'"secret\n"',
        '"secret"'.encode("utf-16"),
        '"secret"'.encode("utf-32-le"),
        b"01",
        b"gAAAAA-secret",
    ],
)
def test_what_is_no_json_text_is_not_json_and_nothing_hangs_on_the_error(serializer, data):
    with pytest.raises(NotJSONError) as caught:
        serializer.loads(data)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "secret" not in repr(caught.value)


@pytest.mark.parametrize("serializer", JSON)
@pytest.mark.parametrize(
    "data",
    [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000, b"1" * 4301, b"[-" + b"9" * 5000 + b"]"],
    ids=["lists", "dicts", "digits", "negative"],
)
def test_depth_and_digits_are_payload_errors_but_not_not_json(serializer, data):
    with pytest.raises(PayloadError) as caught:
        serializer.loads(data)
    assert type(caught.value) is PayloadError
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("serializer", JSON)
@settings(deadline=None)
@given(item=json_values)
@example(item=["\ud800", float("nan"), 2**70, 1e16, -(2**63) - 1])
def test_json_serializers_read_each_other(serializer, item):
    for param in JSON:
        (writer,) = param.values
        assert shape(serializer.loads(writer.dumps(item))) == shape(by_json(item))


@pytest.mark.parametrize("serializer", JSON)
@pytest.mark.parametrize(
    "row",
    [
        "[NaN, Infinity, -Infinity]",
        "1E400",
        "-0",
        "[-0.0, 1e5, 1E-400]",
        ' {"a": 1,\t"b": 2, "a": 3}\r\n',
        r'"\ud83d\ude00 \ud800 \/"',
        '"raw \ud800"',
        '"\ud83d\ude00 raw"',
        "18446744073709551616",
        "[0.1234567890123456789, 9223372036854775808.0]",
        '{"é": "\U0001f600"}',
        '["1234567890123456789012", 1.0, 2]',
    ],
)
def test_json_text_is_read_as_json_loads_reads_it(serializer, row):
    assert shape(serializer.loads(row)) == shape(json.loads(row))
    try:
        data = row.encode()
    except UnicodeEncodeError:
        return
    assert shape(serializer.loads(data)) == shape(json.loads(row))


@pytest.mark.parametrize("serializer", JSON[1:])
@settings(deadline=None)
@given(row=st.text('[]{}",:\\ -+.eE019tfnulrasNI/\n\t\x00é\ud800\ud83d\ude00\ufeff', max_size=9))
def test_all_json_serializers_agree_on_what_json_is(serializer, row):
    def outcome(reader):
        try:
            return shape(reader.loads(row))
        except PayloadError as error:
            return type(error)

    assert outcome(serializer) == outcome(JsonSerializer())


@pytest.mark.parametrize("serializer", JSON)
@settings(deadline=None)
@given(pad=st.integers(0, 30), digits=st.integers(17, 24), as_text=st.booleans())
def test_wide_integers_are_exact_wherever_they_stand(serializer, pad, digits, as_text):
    item = ["é" * pad, {"n": 10**digits - 1, "m": -(10**digits) + 1}, 0.5]
    data = json.dumps(item, ensure_ascii=False)
    assert serializer.loads(data if as_text else data.encode()) == item


@pytest.mark.parametrize("serializer", ALL)
def test_many_threads_share_one(serializer):
    item = {"a": ["x" * 1000, {1: 2**70}, "\ud800"]}
    results = []

    def work():
        results.append(
            all(serializer.loads(serializer.dumps(item)) == by_json(item) for _ in range(50))
        )

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


@pytest.mark.parametrize("serializer", ALL)
def test_a_serializer_is_a_plain_value(serializer):
    assert isinstance(serializer, Serializer)
    assert pickle.loads(pickle.dumps(serializer)) == serializer
    assert hash(serializer) == hash(dataclasses.replace(serializer))
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError)):
        serializer.name = "other"
    with pytest.raises(TypeError):
        type(serializer)("positional")


def test_tests_run_under_the_default_limits():
    assert sys.get_int_max_str_digits() == 4300
