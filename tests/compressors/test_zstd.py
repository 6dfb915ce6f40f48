import sys
import tracemalloc

import pytest
import zstandard

from strongroom.codec.compressors import ZstdCompressor
from strongroom.errors import ConfigurationError, MissingDependencyError, PayloadError

STAGE = ZstdCompressor()
DATA = b"some data, some data, " * 10
MIB = 1 << 20
MAGIC = b"\x28\xb5\x2f\xfd"


def unsized(data, **kwargs):
    return zstandard.ZstdCompressor(write_content_size=False, **kwargs).compress(data)


def rle_blocks(count, *, declared=None, window=0x38):
    """Return a frame whose blocks of 4 bytes each become 128 KiB; it may lie about its size."""
    block = ((128 << 10) << 3 | 1 << 1).to_bytes(3, "little") + b"a"
    last = ((128 << 10) << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"a"
    if declared is None:
        header = bytes([0x00, window])
    else:
        header = bytes([0x80, window]) + declared.to_bytes(4, "little")
    return MAGIC + header + block * (count - 1) + last


def refused(data, *, max_size=MIB):
    with pytest.raises(PayloadError) as caught:
        STAGE.decompress(data, max_size=max_size)
    assert caught.value.__context__ is None
    return str(caught.value)


def test_it_writes_one_frame_with_size_and_checksum():
    frame = STAGE.compress(DATA)
    header = zstandard.get_frame_parameters(frame)
    assert frame.startswith(MAGIC)
    assert header.content_size == len(DATA)
    assert header.has_checksum
    assert header.dict_id == 0


def test_levels_differ_and_each_keeps_its_own_context():
    data = bytes(range(256)) * 40 + DATA * 40
    sizes = {level: len(ZstdCompressor(level=level).compress(data)) for level in (1, 19, 22)}
    assert sizes[19] <= sizes[1]
    assert len(ZstdCompressor(level=1).compress(data)) == sizes[1]


def test_level_0_is_none():
    with pytest.raises(ConfigurationError, match="1 to 22"):
        ZstdCompressor(level=0)


@pytest.mark.parametrize("size", [0, 1, 1000, 3 * MIB])
def test_a_frame_that_does_not_tell_its_size_is_read(size):
    data = (DATA * (size // len(DATA) + 1))[:size]
    assert STAGE.decompress(unsized(data), max_size=size) == data


def test_a_frame_that_does_not_tell_its_size_is_bounded_all_the_same():
    assert "larger than 999 bytes" in refused(unsized(bytes(1000)), max_size=999)
    assert "truncated" in refused(unsized(DATA)[:-1])
    assert "followed by other data" in refused(unsized(DATA) + b"x")
    assert "followed by other data" in refused(unsized(b"") + b"x" * 100)


@pytest.mark.parametrize("size", range(48))
def test_other_data_is_noticed_wherever_the_frame_ends(size):
    frame = unsized(bytes(range(size)))
    assert STAGE.decompress(frame, max_size=48) == bytes(range(size))
    assert "followed by other data" in refused(frame + b"x" * 40, max_size=48)


def test_a_well_made_frame_of_tiny_blocks_is_read():
    assert STAGE.decompress(rle_blocks(8), max_size=MIB) == b"a" * MIB
    assert STAGE.decompress(rle_blocks(8, declared=MIB), max_size=MIB) == b"a" * MIB


@pytest.mark.parametrize("declared", [None, 0, 10, MIB])
def test_a_bomb_takes_about_max_size_whatever_it_claims(declared):
    bomb = rle_blocks(8000, declared=declared)
    tracemalloc.start()
    try:
        assert "larger than" in refused(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MIB


def test_a_frame_that_claims_more_than_it_holds_is_refused():
    assert "corrupt" in refused(rle_blocks(1, declared=MIB))


def test_a_claim_beyond_max_size_is_refused_unread():
    assert "larger than" in refused(rle_blocks(1, declared=2**32 - 1))


def test_a_window_of_8_mib_is_always_allowed_and_a_larger_one_only_within_max_size():
    eight, sixteen = 0x68, 0x70
    assert STAGE.decompress(rle_blocks(1, window=eight), max_size=MIB)
    assert STAGE.decompress(rle_blocks(1, window=sixteen), max_size=16 * MIB)
    assert "window" in refused(rle_blocks(1, window=sixteen))


def test_skippable_frames_are_refused():
    skippable = b"\x50\x2a\x4d\x18\x02\x00\x00\x00ab"
    assert "skippable" in refused(skippable)
    assert "skippable" in refused(skippable + STAGE.compress(DATA))
    assert "followed by other data" in refused(STAGE.compress(DATA) + skippable)


def test_frames_with_a_dictionary_are_refused():
    dictionary = zstandard.train_dictionary(
        1024, [b"sample %d of a text that repeats" % n for n in range(2000)]
    )
    frame = zstandard.ZstdCompressor(dict_data=dictionary).compress(DATA)
    assert "dictionary" in refused(frame)


def test_an_altered_checksum_is_refused():
    frame = STAGE.compress(DATA)
    assert "corrupt" in refused(frame[:-1] + bytes([frame[-1] ^ 1]))


def test_without_the_package_the_constructor_names_the_install_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "strongroom\[zstd\]"') as caught:
        ZstdCompressor()
    assert isinstance(caught.value, ImportError)


def test_without_the_package_the_module_can_be_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    for name in [name for name in sys.modules if name.startswith("strongroom.codec.compressors")]:
        monkeypatch.delitem(sys.modules, name)
    import strongroom.codec.compressors

    with pytest.raises(MissingDependencyError):
        strongroom.codec.compressors.ZstdCompressor()
