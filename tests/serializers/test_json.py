import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.codec.serializers import JsonSerializer

encodable = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@pytest.mark.parametrize("ensure_ascii", [True, False])
@settings(deadline=None)
@given(item=encodable)
def test_it_writes_byte_for_byte_what_json_dumps_writes(ensure_ascii, item):
    expected = json.dumps(item, ensure_ascii=ensure_ascii, separators=(",", ":")).encode()
    assert JsonSerializer(ensure_ascii=ensure_ascii).dumps(item) == expected


def test_ascii_is_the_default():
    assert JsonSerializer() == JsonSerializer(ensure_ascii=True)
    assert JsonSerializer().dumps("é\ud800") == rb'"\u00e9\ud800"'


def test_without_ensure_ascii_text_is_utf8():
    assert JsonSerializer(ensure_ascii=False).dumps({"é": "日本"}) == '{"é":"日本"}'.encode()


@pytest.mark.parametrize("item", [["é", "\ud800"], {"é\udfff": 1}])
def test_without_ensure_ascii_an_item_with_a_lone_surrogate_is_written_in_ascii(item):
    written = JsonSerializer(ensure_ascii=False).dumps(item)
    assert written == json.dumps(item, separators=(",", ":")).encode()


def test_duplicate_keys_are_written_as_json_writes_them():
    assert JsonSerializer().dumps({1: "a", "1": "b"}) == b'{"1":"a","1":"b"}'
