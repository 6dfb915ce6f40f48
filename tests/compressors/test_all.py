"""What must hold for every compressor."""

import contextlib
import dataclasses
import pickle
import random
import threading
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.codec.compressors import ZlibCompressor, ZstdCompressor
from strongroom.errors import ConfigurationError, PayloadError
from strongroom.protocols import Compressor

ALL = [
    pytest.param(ZlibCompressor(), id="zlib"),
    pytest.param(ZstdCompressor(), id="zstd"),
]
MIB = 1 << 20


def refused(compressor, data, *, max_size=MIB):
    with pytest.raises(PayloadError) as caught:
        compressor.decompress(data, max_size=max_size)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "secret" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("compressor", ALL)
@settings(deadline=None)
@given(data=st.binary() | st.binary().map(lambda data: data * 1000))
def test_what_was_compressed_comes_back(compressor, data):
    assert compressor.decompress(compressor.compress(data), max_size=len(data)) == data


@pytest.mark.parametrize("kind", [ZlibCompressor, ZstdCompressor])
@pytest.mark.parametrize("level", [1, 5, 9])
def test_every_level_can_be_read_by_every_other(kind, level):
    data = random.Random(level).randbytes(1000) * 300
    assert kind().decompress(kind(level=level).compress(data), max_size=len(data)) == data


@pytest.mark.parametrize("compressor", ALL)
def test_repetition_becomes_smaller(compressor):
    assert len(compressor.compress(b"again and again " * 1000)) < 200


@pytest.mark.parametrize("compressor", ALL)
@pytest.mark.parametrize("size", [1, 1000, 300_000])
def test_max_size_is_exact(compressor, size):
    compressed = compressor.compress(b"a" * size)
    assert len(compressor.decompress(compressed, max_size=size)) == size
    assert f"larger than {size - 1} bytes" in refused(compressor, compressed, max_size=size - 1)


@pytest.mark.parametrize("compressor", ALL)
@pytest.mark.parametrize("size", [0, 10, 100_000])
def test_truncation_anywhere_is_refused(compressor, size):
    compressed = compressor.compress(random.Random(0).randbytes(size))
    cuts = {*range(min(len(compressed), 30)), *range(max(0, len(compressed) - 30), len(compressed))}
    for cut in cuts:
        assert "truncated" in refused(compressor, compressed[:cut])


@pytest.mark.parametrize("compressor", ALL)
@pytest.mark.parametrize("size", [0, 10, 100_000])
@pytest.mark.parametrize("junk", [b"\x00", b"secret", b"x" * 100_000])
def test_anything_after_the_end_is_refused(compressor, size, junk):
    compressed = compressor.compress(bytes(size))
    assert "followed by other data" in refused(compressor, compressed + junk)
    assert "followed by other data" in refused(compressor, compressed + compressed)


@pytest.mark.parametrize("compressor", ALL)
def test_any_altered_byte_is_refused_or_changes_nothing(compressor):
    data = b"a secret that repeats, a secret that repeats; " * 4
    compressed = compressor.compress(data)
    for index in range(len(compressed)):
        altered = bytearray(compressed)
        altered[index] ^= 0x41
        with contextlib.suppress(PayloadError):
            assert compressor.decompress(bytes(altered), max_size=MIB) == data


@pytest.mark.parametrize("compressor", ALL)
@settings(deadline=None)
@given(data=st.binary())
def test_arbitrary_bytes_are_a_payload_error(compressor, data):
    refused(compressor, data)


@pytest.mark.parametrize("compressor", ALL)
def test_a_bomb_takes_about_max_size_of_memory(compressor):
    bomb = compressor.compress(bytes(200 * MIB))
    tracemalloc.start()
    try:
        assert "larger than" in refused(compressor, bomb, max_size=MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MIB


@pytest.mark.parametrize("compressor", ALL)
def test_many_threads_share_one(compressor):
    results = []

    def work(seed):
        data = random.Random(seed).randbytes(500) * 20
        results.append(
            all(
                compressor.decompress(compressor.compress(data), max_size=10_000) == data
                for _ in range(100)
            )
        )

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


@pytest.mark.parametrize("compressor", ALL)
def test_a_refusal_leaves_nothing_behind(compressor):
    good = compressor.compress(b"fine")
    for bad in (good[:-1], good + b"x", b"garbage", good[:6] + b"\xff" * 9):
        refused(compressor, bad)
        assert compressor.decompress(good, max_size=4) == b"fine"


@pytest.mark.parametrize("compressor", ALL)
def test_a_compressor_is_a_plain_value(compressor):
    compressor.compress(b"used")
    assert isinstance(compressor, Compressor)
    assert pickle.loads(pickle.dumps(compressor)) == compressor == type(compressor)()
    assert repr(compressor) == f"{type(compressor).__name__}(level={compressor.level})"
    assert hash(compressor) == hash(type(compressor)())
    with pytest.raises(dataclasses.FrozenInstanceError):
        compressor.level = 1
    with pytest.raises(TypeError):
        type(compressor)(3)


@pytest.mark.parametrize("kind", [ZlibCompressor, ZstdCompressor])
@pytest.mark.parametrize("level", [-1, 23, 100, 3.0, "3", None, True])
def test_a_level_that_is_none_is_a_configuration_error(kind, level):
    with pytest.raises(ConfigurationError, match="level"):
        kind(level=level)
