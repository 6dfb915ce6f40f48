"""Compressors: bytes become fewer, and the same bytes again."""

from __future__ import annotations

from strongroom.codec.compressors.zlib import ZlibCompressor
from strongroom.codec.compressors.zstd import ZstdCompressor

__all__ = ["ZlibCompressor", "ZstdCompressor"]
