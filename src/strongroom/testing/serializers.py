"""What must hold for every serializer: ``json.loads(json.dumps(item))`` is the reference."""

from __future__ import annotations

import contextlib
import copy
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom import Codec, EncodeError, PayloadError, Serializer
from strongroom.testing.cases import KEPT, MORE_THAN_JSON, REFUSED, Colour
from strongroom.testing.stages import StageSuite
from strongroom.testing.values import (
    PROPERTY,
    SECRET,
    by_json,
    json_values,
    nested,
    same,
    shown,
)

if TYPE_CHECKING:
    from strongroom.protocols import Item


class SerializerSuite(StageSuite):
    """The tests of a serializer. A subclass defines ``make``, which returns it."""

    protocol = Serializer

    def make(self) -> Serializer:
        """Return the serializer that is tested."""
        raise NotImplementedError

    @pytest.mark.parametrize("what", KEPT)
    def test_keeps(self, what: str) -> None:
        assert_kept(self.make(), KEPT[what])

    @PROPERTY
    @given(item=json_values())
    def test_keeps_whatever_json_keeps(self, item: Item) -> None:
        assert_kept(self.make(), item)

    def test_keeps_large_items(self) -> None:
        large = ["x" * 1_000_000, ["a"] * 70_000, {str(n): n for n in range(70_000)}]
        assert_kept(self.make(), large)

    @pytest.mark.parametrize("kind", ["list", "dict", "both"])
    def test_keeps_500_levels_of_nesting(self, kind: str) -> None:
        assert_kept(self.make(), nested(500, kind))

    def test_writes_bytes(self) -> None:
        assert type(self.make().dumps({"a": 1})) is bytes

    @pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
    def test_refuses_what_json_refuses_and_names_the_path(self, value: object) -> None:
        with pytest.raises(EncodeError) as caught:
            self.make().dumps({"fine": 1, "content": [{"id": value}]})
        assert caught.value.path == "$.content[0].id"
        assert SECRET not in shown(caught.value)

    @pytest.mark.parametrize("key", [(SECRET,), b"key", Colour.RED, frozenset()])
    def test_refuses_keys_that_json_refuses(self, key: object) -> None:
        with pytest.raises(EncodeError) as caught:
            self.make().dumps({"content": [0, {"fine": 1, key: 2}]})
        assert caught.value.path == "$.content[1]"
        assert SECRET not in shown(caught.value)

    @pytest.mark.parametrize("value", MORE_THAN_JSON, ids=["empty", "bytes", "datetime"])
    def test_bytes_and_aware_datetimes_are_refused_or_come_back(self, value: object) -> None:
        serializer = self.make()
        try:
            data = serializer.dumps([value])
        except EncodeError:
            return
        assert same(serializer.loads(data), [value])

    def test_refuses_a_circle(self) -> None:
        circle: list[Any] = [1]
        circle.append({"again": circle})
        with pytest.raises(EncodeError):
            self.make().dumps(circle)

    def test_keeps_what_occurs_twice(self) -> None:
        shared = ["twice", {"a": 1}]
        assert_kept(self.make(), [shared, {"k": shared}, shared])

    @pytest.mark.parametrize("kind", ["list", "dict"])
    def test_refuses_nesting_without_end(self, kind: str) -> None:
        with pytest.raises(EncodeError):
            self.make().dumps(nested(50_000, kind))

    def test_leaves_the_item_as_it_was(self) -> None:
        item = {"a": (1, [2.5, {3: "\ud800"}]), "b": 2**70}
        before = copy.deepcopy(item)
        self.make().dumps(item)
        assert same(item, before)

    @PROPERTY
    @given(item=json_values(), cut=st.integers(1, 40))
    def test_refuses_what_is_truncated(self, item: Item, cut: int) -> None:
        serializer = self.make()
        data = serializer.dumps([item])
        with pytest.raises(PayloadError):
            serializer.loads(data[:-cut])

    @pytest.mark.parametrize("junk", [b"\x00", b"x", b"\xff\xff"])
    def test_refuses_what_is_followed_by_other_data(self, junk: bytes) -> None:
        serializer = self.make()
        data = serializer.dumps({"role": "user", "content": SECRET})
        for altered in (data + junk, data + data):
            with pytest.raises(PayloadError) as caught:
                serializer.loads(altered)
            assert SECRET not in str(caught.value)

    @PROPERTY
    @given(data=st.binary())
    def test_any_bytes_are_refused_or_an_item_that_can_be_stored(self, data: bytes) -> None:
        serializer = self.make()
        with contextlib.suppress(PayloadError):
            assert type(serializer.dumps(serializer.loads(data))) is bytes

    @PROPERTY
    @given(item=json_values(), data=st.data())
    def test_altered_bytes_are_refused_or_an_item(self, item: Item, data: st.DataObject) -> None:
        serializer = self.make()
        altered = bytearray(serializer.dumps({"content": [item, "x", 2**70, "\ud800"]}))
        position = data.draw(st.integers(0, len(altered) - 1))
        altered[position] = data.draw(st.integers(0, 255))
        with contextlib.suppress(PayloadError):
            serializer.dumps(serializer.loads(bytes(altered)))

    def test_threads_may_share_it(self) -> None:
        serializer = self.make()
        values = [{"a": ["x" * 1000, {"n": 2**70 + n}, "\ud800"]} for n in range(200)]
        with ThreadPoolExecutor(8) as pool:
            restored = list(
                pool.map(lambda value: serializer.loads(serializer.dumps(value)), values)
            )
        assert restored == values

    def test_works_in_a_codec(self) -> None:
        codec = Codec(self.make())
        item = {"role": "user", "content": "héllo", "n": 2**70}
        assert codec.decode(codec.encode(item, context="s"), context="s") == item
        assert codec.spec == self.make().name


def assert_kept(serializer: Serializer, item: Item) -> None:
    """Assert that an item comes back as json would give it back."""
    restored = serializer.loads(serializer.dumps(item))
    assert same(restored, by_json(item))
