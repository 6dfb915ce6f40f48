"""Run the suite of strongroom on the serializer, and test what is special about it."""

import cbor2
import pytest
from hypothesis import given
from strongroom_cbor import CborSerializer

from strongroom import Codec, ConfigurationError, Key, Keyring, PayloadError, SQLAlchemySession
from strongroom.testing import SerializerSuite, items
from strongroom.testing import same as is_same


class TestCbor(SerializerSuite):
    def make(self):
        return CborSerializer()


def test_its_name_works_in_a_spec():
    codec = Codec.parse("cbor+zlib")
    assert codec.serializer == CborSerializer()


def test_a_session_stores_and_reads_encrypted_cbor(tmp_path):
    import asyncio

    async def there_and_back():
        async with SQLAlchemySession.from_url(
            "user-123",
            url=f"sqlite+aiosqlite:///{tmp_path / 'memory.db'}",
            create_tables=True,
            codec="cbor+aesgcm",
            keys=Keyring(Key.generate()),
        ) as session:
            await session.add_items([{"role": "user", "content": "Grüße"}, {"n": 2**70}])
            return await session.get_items()

    assert asyncio.run(there_and_back()) == [{"role": "user", "content": "Grüße"}, {"n": 2**70}]


@given(item=items())
def test_plain_items_are_the_cbor_that_every_library_reads(item):
    assert is_same(cbor2.loads(CborSerializer().dumps(item)), item)


@pytest.mark.parametrize(
    ("item", "data"),
    [
        ({"a": [1, -0.0, None]}, "a1616183 01 f98000 f6"),
        (2**64, "c249010000000000000000"),
        ("a\ud800", "d9011144 61eda080"),
        ({"\udc00": True}, "a1 d9011143edb080 f5"),
    ],
)
def test_what_a_row_holds_never_changes(item, data):
    assert CborSerializer().loads(bytes.fromhex(data)) == item


@pytest.mark.parametrize(
    "data",
    [
        "c11a514b67b0",  # a time
        "d90102820102",  # a set
        "a10102",  # a key that is no string
        "d81c81d81d00",  # a list that holds itself
        "d81c82d81d00d81d00",  # twice
        "d901114161",  # tag 273 around what is no lone surrogate
        "f7",  # undefined
        "4161",  # bytes
        "c2591388" + "ff" * 5000,  # more digits than Python converts
    ],
)
def test_what_it_does_not_write_it_does_not_read(data):
    with pytest.raises(PayloadError):
        CborSerializer().loads(bytes.fromhex(data))


def test_a_compressor_may_not_stand_in_front():
    with pytest.raises(ConfigurationError):
        Codec.parse("zlib+cbor")
