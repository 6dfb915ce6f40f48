"""What must hold for every compressor."""

from __future__ import annotations

import contextlib
import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strongroom import Codec, Compressor, JsonSerializer, PayloadError
from strongroom.testing.stages import StageSuite
from strongroom.testing.values import PROPERTY, SECRET

_MIB = 1 << 20


class CompressorSuite(StageSuite):
    """The tests of a compressor. A subclass defines ``make``, which returns it."""

    protocol = Compressor

    def make(self) -> Compressor:
        """Return the compressor that is tested."""
        raise NotImplementedError

    @PROPERTY
    @given(data=st.binary() | st.binary().map(lambda data: data * 1000))
    @example(data=b"")
    @example(data=b"\0")
    @example(data=b"\0data\0\0")
    def test_gives_back_what_it_compressed(self, data: bytes) -> None:
        compressor = self.make()
        compressed = compressor.compress(data)
        assert type(compressed) is bytes
        assert compressor.decompress(compressed, max_size=len(data)) == data

    def test_gives_back_what_is_large(self) -> None:
        compressor = self.make()
        data = random.Random(1).randbytes(_MIB) * 3
        assert compressor.decompress(compressor.compress(data), max_size=len(data)) == data

    def test_makes_repetition_smaller(self) -> None:
        assert len(self.make().compress(b"again and again " * 1000)) < 4000

    @pytest.mark.parametrize("size", [1, 1000, 300_000])
    def test_max_size_is_exact(self, size: int) -> None:
        compressor = self.make()
        compressed = compressor.compress(b"a" * size)
        assert len(compressor.decompress(compressed, max_size=size)) == size
        with pytest.raises(PayloadError):
            compressor.decompress(compressed, max_size=size - 1)

    def test_a_bomb_does_not_fill_the_memory(self) -> None:
        compressor = self.make()
        bomb = compressor.compress(bytes(64 * _MIB))
        tracemalloc.start()
        try:
            with pytest.raises(PayloadError):
                compressor.decompress(bomb, max_size=_MIB)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 8 * _MIB

    @pytest.mark.parametrize("size", [0, 10, 100_000])
    def test_refuses_what_is_truncated(self, size: int) -> None:
        compressor = self.make()
        compressed = compressor.compress(random.Random(0).randbytes(size))
        end = len(compressed)
        for cut in sorted({*range(min(end, 30)), *range(max(0, end - 30), end)}):
            with pytest.raises(PayloadError):
                compressor.decompress(compressed[:cut], max_size=_MIB)

    @pytest.mark.parametrize("size", [0, 10, 100_000])
    @pytest.mark.parametrize("junk", [b"\x00", SECRET.encode(), b"x" * 100_000])
    def test_refuses_what_follows_its_frame(self, size: int, junk: bytes) -> None:
        compressor = self.make()
        compressed = compressor.compress(bytes(size))
        for altered in (compressed + junk, compressed + compressed):
            with pytest.raises(PayloadError) as caught:
                compressor.decompress(altered, max_size=_MIB)
            assert SECRET not in str(caught.value)

    def test_an_altered_byte_is_refused_or_gives_bytes_within_max_size(self) -> None:
        compressor = self.make()
        compressed = compressor.compress(b"a secret that repeats, a secret that repeats; " * 4)
        for index in range(len(compressed)):
            altered = bytearray(compressed)
            altered[index] ^= 0x41
            _assert_bounded(compressor, bytes(altered))

    @PROPERTY
    @given(data=st.binary())
    def test_any_bytes_are_refused_or_give_bytes_within_max_size(self, data: bytes) -> None:
        _assert_bounded(self.make(), data)

    def test_a_refusal_leaves_nothing_behind(self) -> None:
        compressor = self.make()
        good = compressor.compress(b"fine")
        for bad in (good[:-1], good + b"x", b"garbage", b""):
            with contextlib.suppress(PayloadError):
                compressor.decompress(bad, max_size=_MIB)
            assert compressor.decompress(good, max_size=4) == b"fine"

    def test_threads_may_share_it(self) -> None:
        compressor = self.make()
        values = [random.Random(seed).randbytes(500) * 20 for seed in range(200)]

        def there_and_back(data: bytes) -> bytes:
            return compressor.decompress(compressor.compress(data), max_size=10_000)

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(there_and_back, values)) == values

    def test_works_in_a_codec(self) -> None:
        codec = Codec(JsonSerializer(), compressor=self.make())
        item = {"role": "user", "content": "again " * 500}
        row = codec.encode(item, context="s")
        assert codec.decode(row, context="s") == item
        assert codec.spec == f"json+{self.make().name}"


def _assert_bounded(compressor: Compressor, data: bytes) -> None:
    try:
        restored = compressor.decompress(data, max_size=1000)
    except PayloadError:
        return
    assert len(restored) <= 1000
