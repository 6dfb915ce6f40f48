"""Compressors that are wrong in one way each, and the test that has to catch it."""

import time
import zlib

from faulty import Sound, fault

from strongroom import PayloadError
from strongroom.testing import CompressorSuite


class Deflate(Sound):
    def compress(self, data):
        return zlib.compress(data)

    def decompress(self, data, *, max_size):
        stream = zlib.decompressobj()
        try:
            restored = stream.decompress(data, max_size + 1)
        except zlib.error:
            raise PayloadError("corrupt") from None
        if len(restored) > max_size or not stream.eof or stream.unused_data:
            raise PayloadError("not one whole stream within max_size")
        return restored


@fault("test_max_size_is_exact[1000]", CompressorSuite)
class IsOneByteTooStrict(Deflate):
    def decompress(self, data, *, max_size):
        restored = super().decompress(data, max_size=max_size)
        if restored and len(restored) == max_size:
            raise PayloadError("too large")
        return restored


@fault("test_a_bomb_does_not_fill_the_memory", CompressorSuite)
class InflatesBeforeItLooks(Deflate):
    def decompress(self, data, *, max_size):
        try:
            zlib.decompress(data)
        except zlib.error:
            raise PayloadError("corrupt") from None
        return super().decompress(data, max_size=max_size)


@fault("test_refuses_what_is_truncated[100000]", CompressorSuite)
class TakesWhatIsThere(Deflate):
    def decompress(self, data, *, max_size):
        try:
            return zlib.decompressobj().decompress(data, max_size)
        except zlib.error:
            raise PayloadError("corrupt") from None


@fault("test_any_bytes_are_refused_or_give_bytes_within_max_size", CompressorSuite)
class RaisesZlibsErrors(Deflate):
    def decompress(self, data, *, max_size):
        restored = zlib.decompress(data)
        if len(restored) > max_size:
            raise PayloadError("too large")
        return restored


@fault("test_refuses_what_follows_its_frame[s3cret-value-10]", CompressorSuite)
class ReadsTheFirstOfTwoFrames(Deflate):
    def decompress(self, data, *, max_size):
        stream = zlib.decompressobj()
        try:
            restored = stream.decompress(data, max_size + 1)
        except zlib.error:
            raise PayloadError("corrupt") from None
        if len(restored) > max_size or not stream.eof:
            raise PayloadError("not within max_size")
        return restored


@fault("test_makes_repetition_smaller", CompressorSuite)
class CompressesNothing(Deflate):
    def compress(self, data):
        return zlib.compress(data, 0)


@fault("test_a_refusal_leaves_nothing_behind", CompressorSuite)
class RemembersAFailure(Deflate):
    failed = False

    def decompress(self, data, *, max_size):
        try:
            return super().decompress(data + b"?" * self.failed, max_size=max_size)
        except PayloadError:
            self.failed = True
            raise


@fault("test_gives_back_what_it_compressed", CompressorSuite)
class StripsZeros(Deflate):
    def compress(self, data):
        return zlib.compress(data.rstrip(b"\0") if len(data) < 500 else data)


@fault("test_threads_may_share_it", CompressorSuite)
class KeepsItsOutputOnItself(Deflate):
    def compress(self, data):
        self.out = zlib.compress(data)
        time.sleep(0.001)
        return self.out


class TestSound(CompressorSuite):
    make = Deflate
