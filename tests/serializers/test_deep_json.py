"""JSON that the standard library gives up on for its depth is written and read all the same."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histories import n
from strongroom import (
    Codec,
    EncodeError,
    JsonSerializer,
    MsgpackSerializer,
    OrjsonSerializer,
    PayloadError,
    maintenance,
)
from strongroom.codec.serializers import _deep_json
from strongroom.errors import NotJSONError
from strongroom.testing import json_values, same
from strongroom.testing.values import nested

SERIALIZERS = [
    JsonSerializer(),
    JsonSerializer(ensure_ascii=False),
    OrjsonSerializer(),
    MsgpackSerializer(),
]
KINDS = ["list", "dict", "both"]
WRITER = json.JSONEncoder(separators=(",", ":"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("levels", [900, 1000, 1024])
def test_every_serializer_keeps_1024_levels(levels, kind):
    item = nested(levels, kind)
    for serializer in SERIALIZERS:
        assert same(serializer.loads(serializer.dumps(item)), item)


@pytest.mark.parametrize("serializer", SERIALIZERS, ids=repr)
def test_an_empty_list_is_a_level_too(serializer):
    item = []
    for _ in range(1023):
        item = [item]
    assert same(serializer.loads(serializer.dumps(item)), item)
    with pytest.raises(EncodeError, match="nested too deeply"):
        serializer.dumps([item])


@pytest.mark.parametrize("serializer", SERIALIZERS[:3], ids=repr)
@pytest.mark.parametrize("text", ['["[[[["]', '[["\\"[[[["], ["{"]]', '"' + "[{" * 2000 + '"'])
def test_brackets_in_strings_are_no_levels(serializer, text):
    assert serializer.loads(text) == json.loads(text)
    many = ["[" * 700, '"' * 3 + "{" * 700, "\\"]
    assert serializer.loads(serializer.dumps(many)) == many


@pytest.mark.parametrize("kind", KINDS)
def test_every_serializer_refuses_one_level_more(kind):
    item = nested(1025, kind)
    for serializer in SERIALIZERS:
        with pytest.raises(EncodeError, match="nested too deeply") as caught:
            serializer.dumps(item)
        assert caught.value.__context__ is None
    text = "[" * 1025 + "]" * 1025
    for serializer in SERIALIZERS[:3]:
        with pytest.raises(PayloadError, match="nested too deeply"):
            serializer.loads(text)


def test_depth_does_not_depend_on_how_deep_the_caller_is():
    item = nested(990, "both")

    def call(levels):
        if levels:
            return call(levels - 1)
        return all(same(one.loads(one.dumps(item)), item) for one in SERIALIZERS[:3])

    assert call(sys.getrecursionlimit() // 2)


@pytest.mark.parametrize("leaf", [float("nan"), 2**70, "\ud800", "é", ()])
def test_a_deep_item_keeps_what_is_rare(leaf):
    item = [leaf]
    for _ in range(1000):
        item = [item]
    for serializer in SERIALIZERS[:3]:
        assert same(serializer.loads(serializer.dumps(item)), json_of(item))


def json_of(item):
    """Return the item with lists in place of tuples, without recursion."""
    levels = 0
    while isinstance(item, list):
        item, levels = item[0], levels + 1
    item = [] if item == () else item
    for _ in range(levels):
        item = [item]
    return item


def test_a_value_that_json_refuses_is_named_by_its_path():
    item = [object()]
    for _ in range(1000):
        item = [item]
    with pytest.raises(EncodeError, match="of type object") as caught:
        JsonSerializer().dumps(item)
    assert caught.value.path == "$" + "[0]" * 1001


@given(item=json_values())
def test_it_writes_and_reads_as_json_does(item):
    text = WRITER.encode(item)
    assert _deep_json.dumps(item, WRITER) == text
    assert same(_deep_json.loads(text), json.loads(text))
    spaced = json.dumps(item, indent=1)
    assert same(_deep_json.loads(spaced), json.loads(spaced))


@given(text=st.text(st.sampled_from('[]{}:,"\\1 -a\n'), max_size=12))
def test_it_refuses_what_json_refuses(text):
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):
            _deep_json.loads(text)
    else:
        assert same(_deep_json.loads(text), expected)


def test_a_deep_text_that_is_no_json_is_refused_as_any_other():
    for end in ("]" * 999, "]" * 1001, "]" * 1000 + "x", "1]" * 1000):
        with pytest.raises(NotJSONError) as caught:
            JsonSerializer().loads("[" * 1000 + end)
        assert caught.value.__context__ is None


@pytest.mark.databases("sqlite-file")
async def test_a_deep_item_does_not_stop_an_export_or_a_copy(database):
    items = [*n(1), nested(1000, "both"), *n(2)]
    source = database.store(codec=Codec.parse("msgpack"))
    await source.session("s").add_items(items)
    lines = [line async for line in source.export_items()]
    assert len(lines) == 3
    for spec in ("json", "orjson"):
        codec = Codec.parse(spec)
        assert same(codec.decode(codec.encode(items[1], context="s"), context="s"), items[1])
    report = await maintenance.recode(database.store(codec="json"))
    assert report.failed == 0
    assert same(await database.session(codec="json").get_items(), items)
