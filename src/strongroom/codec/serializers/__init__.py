"""Serializers: an item becomes bytes, and bytes become the item again."""

from __future__ import annotations

from strongroom.codec.serializers.json import JsonSerializer
from strongroom.codec.serializers.msgpack import MsgpackSerializer
from strongroom.codec.serializers.orjson import OrjsonSerializer

__all__ = ["JsonSerializer", "MsgpackSerializer", "OrjsonSerializer"]
