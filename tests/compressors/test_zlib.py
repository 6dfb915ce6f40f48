import gzip
import zlib

import pytest

from strongroom.codec.compressors import ZlibCompressor
from strongroom.errors import ConfigurationError, PayloadError

DATA = b"some data, some data"


def test_it_writes_one_stream_of_rfc_1950():
    assert ZlibCompressor().compress(DATA) == zlib.compress(DATA, 6)
    assert ZlibCompressor(level=9).compress(DATA) == zlib.compress(DATA, 9)


@pytest.mark.parametrize("level", [0, 9])
def test_its_outermost_levels_work(level):
    stage = ZlibCompressor(level=level)
    assert stage.decompress(stage.compress(DATA), max_size=100) == DATA


def test_level_10_is_none():
    with pytest.raises(ConfigurationError, match="0 to 9"):
        ZlibCompressor(level=10)


def dictionary_stream():
    compressor = zlib.compressobj(zdict=DATA)
    return compressor.compress(DATA) + compressor.flush()


def raw_deflate():
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(DATA) + compressor.flush()


@pytest.mark.parametrize(
    "data",
    [gzip.compress(DATA), raw_deflate(), dictionary_stream()],
    ids=["gzip", "raw deflate", "dictionary"],
)
def test_other_forms_of_deflate_are_refused(data):
    with pytest.raises(PayloadError, match="corrupt"):
        ZlibCompressor().decompress(data, max_size=100)


def test_an_altered_checksum_is_refused():
    data = zlib.compress(DATA)
    with pytest.raises(PayloadError, match="corrupt"):
        ZlibCompressor().decompress(data[:-1] + bytes([data[-1] ^ 1]), max_size=100)
