"""Zstandard: one complete frame of RFC 8878 without a dictionary, and nothing after it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, ClassVar

from strongroom.errors import ConfigurationError, MissingDependencyError, PayloadError

_MIN_WINDOW = 8 << 20
"""The window in bytes that RFC 8878 asks every decoder to support, however small max_size is."""
_MAX_GROWTH = 32 << 10
"""What one byte can decompress to: a block has at least 4 bytes, and becomes at most 128 KiB."""
_MIN_STEP = 16

# Contexts are costly to make and must not be shared between threads.
_contexts = threading.local()


@dataclass(frozen=True, kw_only=True)
class ZstdCompressor:
    """Compresses with zstd at a level from 1 (fastest) to 22 (smallest), with a checksum.

    Needs the package ``zstandard``: ``pip install "strongroom[zstd]"``.
    """

    name: ClassVar[str] = "zstd"
    level: int = 3

    def __post_init__(self) -> None:
        _library()
        if type(self.level) is not int or not 1 <= self.level <= 22:
            raise ConfigurationError(
                f"zstd's level must be an int from 1 to 22, not {self.level!r}"
            )

    def compress(self, data: bytes, /) -> bytes:
        """Compress into one complete frame."""
        compressed: bytes = _compressor(self.level).compress(data)
        return compressed

    def decompress(self, data: bytes, /, *, max_size: int) -> bytes:
        """Restore; raises PayloadError for anything but one whole frame of at most max_size."""
        zstandard = _library()
        size = _check_header(data, max_size)
        if size:  # the library returns nothing for a size of 0, whatever follows
            try:
                # It allocates what the frame claims, which is at most max_size.
                restored: bytes = _decompressor().decompress(data, allow_extra_data=False)
            except zstandard.ZstdError:
                pass
            else:
                return restored
        if size is None:
            return _decompress_in_steps(data, max_size, f"larger than {max_size} bytes")
        return _decompress_in_steps(data, size, "larger than it claims")


def _library() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise MissingDependencyError(
            'zstd needs the package zstandard: pip install "strongroom[zstd]"'
        ) from error
    return zstandard


def _compressor(level: int) -> Any:
    by_level: dict[int, Any] = _contexts.__dict__.setdefault("compressors", {})
    if level not in by_level:
        by_level[level] = _library().ZstdCompressor(level=level, write_checksum=True)
    return by_level[level]


def _decompressor() -> Any:
    if not hasattr(_contexts, "decompressor"):
        _contexts.decompressor = _library().ZstdDecompressor()
    return _contexts.decompressor


def _check_header(data: bytes, max_size: int) -> int | None:
    """Return the size in bytes that a frame claims to decompress to, None if it does not tell."""
    zstandard = _library()
    if not data.startswith(zstandard.FRAME_HEADER):
        raise _fault("none, truncated, or a skippable one")
    try:
        header = zstandard.get_frame_parameters(data)
    except zstandard.ZstdError:
        header = None
    if header is None:
        raise _fault("truncated or corrupt in its header")
    if header.dict_id:
        raise _fault("one that needs a dictionary")
    is_known = header.content_size != zstandard.CONTENTSIZE_UNKNOWN
    if is_known and header.content_size > max_size:
        raise _fault(f"larger than {max_size} bytes")
    if header.window_size > max(max_size, _MIN_WINDOW):
        raise _fault("one whose window is larger than allowed")
    return header.content_size if is_known else None


def _decompress_in_steps(data: bytes, max_size: int, too_large: str) -> bytes:
    """Decompress so little at a time that the result hardly outgrows max_size."""
    zstandard = _library()
    stream = _decompressor().decompressobj()
    parts: list[bytes] = []
    size = position = 0
    fault = ""
    while not stream.eof and not fault:
        step = max(_MIN_STEP, (max_size - size) // _MAX_GROWTH)
        try:
            parts.append(stream.decompress(data[position : position + step]))
        except zstandard.ZstdError:
            fault = "corrupt"
            break
        size += len(parts[-1])
        if size > max_size:
            fault = too_large
        elif position >= len(data):
            fault = "truncated"
        position += step
    if not fault and (stream.unused_data or position < len(data)):
        fault = "followed by other data"
    if fault:
        raise _fault(fault)
    return b"".join(parts)


def _fault(reason: str) -> PayloadError:
    return PayloadError(f"cannot decompress: the zstd frame is {reason}")
