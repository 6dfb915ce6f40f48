"""Compressors: bytes become fewer, and the same bytes again."""

from __future__ import annotations

from strongroom.compressors.zlib import ZlibCompressor
from strongroom.compressors.zstd import ZstdCompressor

__all__ = ["ZlibCompressor", "ZstdCompressor"]
