"""Serializers: an item becomes bytes, and bytes become the item again."""

from __future__ import annotations

from strongroom.serializers.json import JsonSerializer
from strongroom.serializers.msgpack import MsgpackSerializer
from strongroom.serializers.orjson import OrjsonSerializer

__all__ = ["JsonSerializer", "MsgpackSerializer", "OrjsonSerializer"]
