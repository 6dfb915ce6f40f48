import datetime as dt
import json
from zoneinfo import ZoneInfo

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.codec.serializers import MsgpackSerializer
from strongroom.codec.serializers import msgpack as module
from strongroom.errors import EncodeError, NotJSONError, PayloadError

SERIALIZER = MsgpackSerializer()
UTC = dt.UTC
NEW_YORK = ZoneInfo("America/New_York")


class Instant(dt.datetime):
    def isoformat(self, *args, **kwargs):
        return "overridden"


class FinerInstant(dt.datetime):
    def replace(self, **kwargs):
        return None  # equal to nothing that ISO 8601 can tell


class Octets(bytes):
    pass


def restored(item):
    return SERIALIZER.loads(SERIALIZER.dumps(item))


zones = st.timedeltas(
    min_value=-dt.timedelta(hours=23, minutes=59), max_value=dt.timedelta(hours=23, minutes=59)
).map(dt.timezone)


@pytest.mark.parametrize("other", [None, "\ud800", {1: 2}], ids=["fast", "slow", "keys"])
@settings(deadline=None)
@given(value=st.binary())
def test_bytes_come_back(other, value):
    assert restored([other, {"b": value}])[1] == {"b": value}


@pytest.mark.parametrize("other", [None, "\ud800", {1: 2}], ids=["fast", "slow", "keys"])
@settings(deadline=None)
@given(value=st.datetimes(timezones=zones))
def test_aware_datetimes_come_back_with_their_offset(other, value):
    back = restored({"o": other, "at": value})["at"]
    assert type(back) is dt.datetime
    assert back == value
    assert back.utcoffset() == value.utcoffset()


@pytest.mark.parametrize("microseconds", [1, -1, 999_999, -86_399_999_999, 86_399_999_999])
def test_offsets_that_fromisoformat_would_drop_come_back(microseconds):
    offset = dt.timedelta(microseconds=microseconds)
    value = dt.datetime(2024, 1, 2, tzinfo=dt.timezone(offset))
    assert restored([value]) == [value]
    assert restored([value])[0].utcoffset() == offset


@pytest.mark.parametrize("fold", [0, 1])
def test_both_times_of_an_hour_that_occurs_twice_come_back(fold):
    value = dt.datetime(2024, 11, 3, 1, 30, tzinfo=NEW_YORK, fold=fold)
    back = restored(value)
    assert back.utcoffset() == value.utcoffset() == dt.timedelta(hours=-4 - fold)
    assert back.astimezone(UTC) == value.astimezone(UTC)


def test_subclasses_of_bytes_and_datetime_become_base_values():
    back = restored([Octets(b"x"), Instant(2024, 1, 2, tzinfo=UTC)])
    assert back == [b"x", dt.datetime(2024, 1, 2, tzinfo=UTC)]
    assert [*map(type, back)] == [bytes, dt.datetime]


def test_a_naive_datetime_is_refused_for_its_lack_of_a_timezone():
    with pytest.raises(EncodeError, match="no timezone") as caught:
        SERIALIZER.dumps({"at": [dt.datetime(2024, 1, 2)]})
    assert caught.value.path == "$.*[0]"
    assert "2024" not in str(caught.value)


def test_a_datetime_that_would_lose_exactness_is_refused():
    with pytest.raises(EncodeError, match="too exact") as caught:
        SERIALIZER.dumps({"at": FinerInstant(2024, 1, 2, tzinfo=UTC)})
    assert caught.value.path == "$.*"


@pytest.mark.parametrize(
    "value",
    [bytearray(b"x"), memoryview(b"x"), msgpack.ExtType(1, b"1"), msgpack.Timestamp(1)],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("other", [None, "\ud800"])
def test_what_msgpack_itself_would_take_is_refused(value, other):
    with pytest.raises(EncodeError) as caught:
        SERIALIZER.dumps([other, value])
    assert caught.value.path == "$[1]"
    assert type(value).__name__ in str(caught.value)


@pytest.mark.parametrize("key", [b"k", dt.datetime(2024, 1, 2, tzinfo=UTC)])
def test_bytes_and_datetimes_are_no_keys(key):
    with pytest.raises(EncodeError):
        SERIALIZER.dumps({key: 1})


@pytest.mark.parametrize(
    ("item", "data"),
    [
        ({"a": [1, "é", None]}, msgpack.packb({"a": [1, "é", None]})),
        (2**64, b"\xc7\x14\x0118446744073709551616"),
        (-(2**63) - 1, b"\xc7\x14\x01-9223372036854775809"),
        ("\ud800", b"\xc7\x03\x02\xed\xa0\x80"),
        ({"\ud800": 1}, b"\x81\xc7\x03\x02\xed\xa0\x80\x01"),
        (dt.datetime(2024, 1, 2, tzinfo=UTC), b"\xc7\x19\x032024-01-02T00:00:00+00:00"),
        (b"\x00", b"\xc4\x01\x00"),
    ],
)
def test_the_format_is_what_the_docs_say(item, data):
    assert SERIALIZER.dumps(item) == data
    assert SERIALIZER.loads(data) == item


@settings(deadline=None)
@given(
    item=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_the_slow_writer_writes_the_same_bytes_as_the_fast_one(item):
    assert module._write(item) == SERIALIZER.dumps(item)


@pytest.mark.parametrize("kind", [list, dict])
def test_whatever_can_be_written_can_be_read_down_to_the_deepest_level(kind):
    def nested(levels):
        item = "leaf"
        for _ in range(levels):
            item = [item] if kind is list else {"k": item}
        return item

    for levels in (511, 512, 513, module.MAX_DEPTH):
        back = restored(nested(levels))
        for _ in range(levels):
            (back,) = back if kind is list else back.values()
        assert back == "leaf"
    with pytest.raises(EncodeError, match="deep"):
        SERIALIZER.dumps(nested(module.MAX_DEPTH + 1))


INVALID = {
    "nothing": b"",
    "reserved byte": b"\xc1",
    "two documents": b"\x01\x02",
    "truncated": b"\x92\x01",
    "invalid UTF-8": b"\xa1\xff",
    "a surrogate in a string": b"\xa3\xed\xa0\x80",
    "more claimed than there is": b"\xdd\x7f\xff\xff\xff",
    "too deep": b"\x91" * 1025 + b"\x01",
    "an integer key": b"\x81\x01\x01",
    "a bytes key": b"\x81\xc4\x01a\x01",
    "a long bytes key": b"\x81\xc5\x00\x01a\x01",
    "a longer bytes key": b"\x81\xc6\x00\x00\x00\x01a\x01",
    "an empty bytes key": b"\x81\xc4\x00\x01",
    "a nested bytes key": b"\x91\x81\xa1a\x81\xc4\x01a\x01",
    "a list key": b"\x81\x90\x01",
    "a null key": b"\x81\xc0\x01",
    "a timestamp": b"\xd6\xff\x00\x00\x00\x01",
    "a nested timestamp": b"\x91\xd7\xff\x00\x00\x00\x00\x00\x00\x00\x01",
    "a long timestamp": b"\xc7\x0c\xff" + bytes(12),
    "a malformed timestamp": b"\xd5\xff\x00\x00",
    "an unknown extension": b"\xd4\x04a",
    "an unknown extension that looks like a datetime": b"\xc7\x19\x042024-01-02T00:00:00+00:00",
    "a negative extension": b"\xd4\x80a",
    "an integer that needs no extension": b"\xd4\x011",
    "the largest integer that needs none": b"\xc7\x14\x0118446744073709551615",
    "the smallest integer that needs none": b"\xc7\x14\x01-9223372036854775808",
    "an integer with a zero in front": b"\xc7\x15\x01018446744073709551616",
    "an integer with a plus": b"\xc7\x15\x01+18446744073709551616",
    "an integer with an underscore": b"\xc7\x15\x0118446744073709_551616",
    "an integer with a space": b"\xc7\x15\x0118446744073709551616 ",
    "an integer of other digits": b"\xd8\x01" + "\uff11\uff12\uff13".encode() + bytes(7),
    "an integer of too many digits": b"\xc8\x13\x88\x01" + b"9" * 5000,
    "no integer": b"\xd4\x01x",
    "an empty integer": b"\xc7\x00\x01",
    "an integer as a key": b"\x81\xc7\x14\x0118446744073709551616\x01",
    "a string without surrogates": b"\xd4\x02a",
    "a pair of surrogates": b"\xc7\x06\x02\xed\xa0\xbd\xed\xb8\x80",
    "an invalid string": b"\xd5\x02\xed\xa0",
    "an empty string": b"\xc7\x00\x02",
    "a naive datetime": b"\xc7\x13\x032024-01-02T00:00:00",
    "a datetime with a space": b"\xc7\x19\x032024-01-02 00:00:00+00:00",
    "a datetime with Z": b"\xc7\x14\x032024-01-02T00:00:00Z",
    "a datetime with an offset of a day": b"\xc7\x19\x032024-01-02T00:00:00+24:00",
    "a datetime with a negative zero": b"\xc7\x19\x032024-01-02T00:00:00-00:00",
    "a datetime with two offsets": b"\xc7\x1f\x032024-01-02T00:00:00+01:00+02:00",
    "no datetime": b"\xd4\x03x",
    "a datetime that is not ASCII": b"\xd5\x03\xc3\xa9",
}


@pytest.mark.parametrize("data", INVALID.values(), ids=INVALID.keys())
def test_what_is_no_document_of_ours_is_a_payload_error_without_content(data):
    with pytest.raises(PayloadError) as caught:
        SERIALIZER.loads(data)
    assert not isinstance(caught.value, NotJSONError)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "2024" not in str(caught.value)


def test_a_small_row_cannot_claim_all_memory():
    with pytest.raises(PayloadError):
        SERIALIZER.loads(b"\xdd\x00\x0f\x00\x00" * 200_000)


@pytest.mark.parametrize(
    "item", ["\u0130\u0131\u0141", -1, b"\xff\xc4", {"x" * 196: ["y" * 255]}, 0.1, {"k": b""}]
)
def test_documents_that_only_look_suspicious_are_read(item):
    assert restored({"a": [item]}) == {"a": [item]}


def test_repeated_keys_in_a_row_resolve_as_in_json():
    data = b"\x83\xa1a\x01\xa1b\x02\xa1a\x03"
    assert list(SERIALIZER.loads(data).items()) == list(json.loads('{"a":1,"b":2,"a":3}').items())
