"""What our guards add to orjson and msgpack, beside the bare libraries and the standard json.

``pytest benchmarks/test_guards.py --benchmark-group-by=group`` shows each group as ratios.
"""

import base64
import json
import random

import msgpack
import orjson
import pytest

from strongroom.codec.serializers import JsonSerializer, MsgpackSerializer, OrjsonSerializer

_noise = random.Random(0)

CORPUS = {
    "user message": {"role": "user", "content": "What is the weather like in Paris today?"},
    "assistant message": {
        "id": "msg_0a1b2c3d4e5f",
        "content": [
            {
                "annotations": [],
                "text": "It is sunny in Paris, with a high of 23 degrees. " * 4,
                "type": "output_text",
                "logprobs": [],
            }
        ],
        "role": "assistant",
        "status": "completed",
        "type": "message",
    },
    "tool output 40 KB": {
        "call_id": "call_1",
        "output": "a line of what a tool printed\n" * 1400,
        "type": "function_call_output",
    },
    "base64 1 MB": {
        "role": "user",
        "content": [
            {
                "type": "input_image",
                "image_url": base64.b64encode(_noise.randbytes(750_000)).decode(),
            }
        ],
    },
    "300 records": [
        {"id": n, "name": f"n{n}", "score": n / 7, "tags": ["a", "b"], "ok": True, "x": None}
        for n in range(300)
    ],
    "1536 floats": {"embedding": [_noise.random() for _ in range(1536)]},
}

STAGES = {
    "json": (JsonSerializer().dumps, JsonSerializer().loads),
    "orjson bare": (orjson.dumps, orjson.loads),
    "orjson guarded": (OrjsonSerializer().dumps, OrjsonSerializer().loads),
    "msgpack bare": (msgpack.packb, msgpack.unpackb),
    "msgpack guarded": (MsgpackSerializer().dumps, MsgpackSerializer().loads),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", CORPUS)
def test_dumps(benchmark, name, stage):
    benchmark.group = f"dumps {name}"
    dumps, loads = STAGES[stage]
    assert loads(benchmark(dumps, CORPUS[name])) == CORPUS[name]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", CORPUS)
def test_loads(benchmark, name, stage):
    benchmark.group = f"loads {name}"
    dumps, loads = STAGES[stage]
    assert benchmark(loads, dumps(CORPUS[name])) == CORPUS[name]


@pytest.mark.parametrize("how", ["json one by one", "orjson one by one", "orjson all at once"])
def test_loads_a_history_of_400_rows(benchmark, how):
    benchmark.group = "loads 400 rows"
    items = [CORPUS["user message"], CORPUS["assistant message"]] * 200
    rows = [json.dumps(item, separators=(",", ":")) for item in items]
    if how == "orjson all at once":
        result = benchmark(OrjsonSerializer().loads_many, rows)
    else:
        loads = (JsonSerializer() if how.startswith("json") else OrjsonSerializer()).loads
        result = benchmark(lambda: [loads(row) for row in rows])
    assert result == items
