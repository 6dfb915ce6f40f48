"""Every codec on every kind of item: how long it takes, and how many bytes it stores.

``extra_info`` has the stored bytes; ``pytest benchmarks/test_codecs.py -k "mix and decode"`` shows
how codecs compare on the mix.
"""

from __future__ import annotations

import json

import pytest

import corpus
from all_codecs import COUNTS, SPECS, parse
from strongroom.format.envelope import column_text


def note(benchmark, spec, column, items, rows):
    benchmark.extra_info.update(
        codec=spec,
        column=column,
        items=len(items),
        stored_bytes=sum(len(row) for row in rows),
        json_bytes=sum(len(json.dumps(item, separators=(",", ":"))) for item in items),
    )


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("column", ["text", "binary"])
@pytest.mark.parametrize("shape", corpus.SHAPES)
def test_encode(benchmark, shape, column, spec):
    benchmark.group = f"encode {shape}, {column}"
    items, bound = corpus.items(shape, COUNTS[shape]), parse(spec).bind("user-123")

    def encode():
        rows = bound.encode_many(items)
        return [column_text(row) for row in rows] if column == "text" else rows

    rows = benchmark(encode)
    note(benchmark, spec, column, items, rows)
    assert bound.decode_many(rows) == items


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("column", ["text", "binary"])
@pytest.mark.parametrize("shape", corpus.SHAPES)
def test_decode(benchmark, shape, column, spec):
    benchmark.group = f"decode {shape}, {column}"
    items, bound = corpus.items(shape, COUNTS[shape]), parse(spec).bind("user-123")
    rows = bound.encode_many(items)
    if column == "text":
        rows = [column_text(row) for row in rows]
    assert benchmark(bound.decode_many, rows) == items
    note(benchmark, spec, column, items, rows)
