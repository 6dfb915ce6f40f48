import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.codec.serializers import OrjsonSerializer
from strongroom.errors import EncodeError

SERIALIZER = OrjsonSerializer()


@pytest.mark.parametrize(
    "item",
    ["é", {"a": [1, 2.5, None, True, (1, "日本")]}, {"b": 1, "a": 2**64 - 1}, [[], {}, ""]],
)
def test_it_writes_what_orjson_writes_where_that_is_exact(item):
    assert SERIALIZER.dumps(item) == orjson.dumps(item)


@pytest.mark.parametrize(
    "item", [float("nan"), [float("inf")], {"a": (-float("inf"),)}, 2**64, {1: "é"}]
)
def test_the_standard_library_writes_what_orjson_would_alter(item):
    expected = json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()
    assert SERIALIZER.dumps(item) == expected


def test_a_fragment_cannot_smuggle_text_in():
    with pytest.raises(EncodeError) as caught:
        SERIALIZER.dumps({"a": orjson.Fragment(b"not json")})
    assert caught.value.path == "$.*"
    assert "Fragment" in str(caught.value)


def test_no_float_is_read_for_an_integer():
    row = json.dumps([10**n + 1 for n in range(15, 400)] + [-(10**n) - 1 for n in range(15, 400)])
    assert [*map(type, SERIALIZER.loads(row))] == [int] * 770
    assert SERIALIZER.loads(row) == json.loads(row)


@pytest.mark.parametrize("others", [0, 10, 100, 1000])
@pytest.mark.parametrize("wide", [2**64, -(2**63) - 1, 10**20, 10**300])
@pytest.mark.parametrize("encode", [str, str.encode], ids=["str", "bytes"])
def test_no_float_is_read_for_an_integer_in_an_item_of_any_size(others, wide, encode):
    for pad in range(4):
        item = [" " * pad, *range(others), {"a": [wide]}, *([0.1] * others)]
        restored = SERIALIZER.loads(encode(json.dumps(item)))
        assert restored == item
        assert type(restored[1 + others]["a"][0]) is int
    assert SERIALIZER.loads_many([encode("[1]")] * others + [encode(f"[{wide}]")]) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(items=st.lists(json_values))
def test_many_rows_are_what_each_row_is(items):
    rows = [json.dumps(item) for item in items]
    assert SERIALIZER.loads_many(rows) == items
    assert SERIALIZER.loads_many([row.encode() for row in rows]) == items


def test_no_rows_are_no_items():
    assert SERIALIZER.loads_many([]) == []


def test_whitespace_around_a_row_is_allowed_as_alone():
    assert SERIALIZER.loads_many([" 1\n", "\t[2] "]) == [1, [2]]


ADVERSARIAL = [
    ["1],[2"],
    ["1,2"],
    ["1", "2,3", "4"],
    ["1],[2", "3"],
    ["[1", "2]"],
    ['{"a":1', '"b":2}'],
    ['{"a":', "1}"],
    ['"a', 'b"'],
    ['"', '"'],
    ['["', '"]'],
    ["", ""],
    [""],
    ["", "1"],
    [" "],
    ["1", "", "2"],
    ["1,", "2"],
    ["1", ",2"],
    ["]", "["],
    ["1]", "[2"],
    ['"\\', '"'],
    ["1 2"],
    ["\ufeff1", "2"],
    ["1", "\ufeff2"],
    ['1,"guess",2', "3"],
    ["tru", "e"],
    ["NaN", "1"],
    ["1", r'"\ud800"'],
    ["1", '"raw \ud800"'],
    ["18446744073709551616", "1"],
    ["1", "[[-9223372036854775809]]"],
    ["[" * 1025 + "]" * 1025],
]


@pytest.mark.parametrize("rows", ADVERSARIAL, ids=repr)
def test_rows_that_are_off_are_left_to_be_read_one_by_one(rows):
    assert SERIALIZER.loads_many(rows) is None
    if "raw" not in str(rows):
        assert SERIALIZER.loads_many([row.encode() for row in rows]) is None


@settings(deadline=None)
@given(rows=st.lists(st.text(' []{}",:\\1a', max_size=6), min_size=1, max_size=4))
def test_rows_pass_only_if_each_would_pass_alone(rows):
    items = SERIALIZER.loads_many(rows)
    if items is not None:
        assert items == [json.loads(row) for row in rows]


@pytest.mark.parametrize("rows", [[b'"\xc3', b'\xa9"'], [b"1", b"\xff"]])
def test_split_characters_do_not_pass(rows):
    assert SERIALIZER.loads_many(rows) is None
