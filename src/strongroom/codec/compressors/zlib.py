"""zlib: one complete stream of RFC 1950, and nothing after it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import ClassVar

from strongroom.errors import ConfigurationError, PayloadError


@dataclass(frozen=True, kw_only=True)
class ZlibCompressor:
    """Compresses with zlib at a level from 0 (stored) to 9 (smallest)."""

    name: ClassVar[str] = "zlib"
    level: int = 6

    def __post_init__(self) -> None:
        if type(self.level) is not int or not 0 <= self.level <= 9:
            raise ConfigurationError(f"zlib's level must be an int from 0 to 9, not {self.level!r}")

    def compress(self, data: bytes, /) -> bytes:
        """Compress into one complete stream."""
        return zlib.compress(data, self.level)

    def decompress(self, data: bytes, /, *, max_size: int) -> bytes:
        """Restore; raises PayloadError for anything but one whole stream of at most max_size."""
        stream = zlib.decompressobj()
        try:
            restored = stream.decompress(data, max_size + 1)
        except zlib.error:
            fault = "corrupt"
        else:
            if len(restored) > max_size:
                fault = f"larger than {max_size} bytes"
            elif not stream.eof:
                fault = "truncated"
            elif stream.unused_data:
                fault = "followed by other data"
            else:
                return restored
        raise PayloadError(f"cannot decompress: the zlib stream is {fault}")
