"""The plots of the report."""

from __future__ import annotations

from typing import Any

import svg
from contenders import AGENTS, ENCRYPTED
from floors import BARE_FLOOR
from network import concurrencies
from sidebyside import pairs_of, ratio

_CIPHERS = ("no cipher", "fernet", "aesgcm", "openai-agents")
_SERIALIZERS = ("json", "orjson", "msgpack", "openai-agents")
_LABELLED = {
    AGENTS,
    ENCRYPTED,
    "json",
    "orjson",
    "msgpack",
    "orjson+fernet",
    "orjson+aesgcm",
    "orjson+zstd",
    "orjson+zstd+aesgcm",
    "msgpack+zstd",
    "msgpack+zstd+aesgcm",
    "orjson+zlib+aesgcm",
}


def draw(run: dict[str, Any]) -> dict[str, str]:
    """Return the plots that a run has figures for, by name."""
    plots = {}
    if "codecs" in run:
        plots["codecs"] = _codec_plot(run["codecs"]["figures"])
    for name, times in run.get("sidebyside", {}).items():
        plots[name.lower()] = _ratio_plot(name, times)
    if "PostgreSQL" in run.get("network", {}):
        plots["network"] = _network_plot(run["network"]["PostgreSQL"])
    return plots


def _codec_plot(figures: list[dict[str, Any]]) -> str:
    mix = [figure for figure in figures if figure["shape"] == "mix"]
    (plain,) = (figure["bytes"] for figure in mix if figure["codec"] == AGENTS)
    points = []
    for figure in mix:
        codec = figure["codec"]
        ours = codec not in {AGENTS, ENCRYPTED}
        if ours and figure["column"] == "text":
            continue
        names = codec.split("+")
        points.append(
            svg.Point(
                100 * figure["bytes"] / plain,
                figure["decode"] * 1e6,
                codec if codec in _LABELLED else "",
                _CIPHERS.index(names[-1] if names[-1] in _CIPHERS else _CIPHERS[0]) if ours else 3,
                _SERIALIZERS.index(names[0]) if ours else 3,
            )
        )
    return svg.scatter(
        "Size against decode time of every codec, on the mix",
        points,
        _CIPHERS,
        _SERIALIZERS,
        "stored bytes, percent of openai-agents' plain rows (binary column)",
        "decode, µs an item",
        "{:g} %",
    )


def _ratio_plot(name: str, times: dict[str, dict[str, list[float]]]) -> str:
    pairs = pairs_of(name)
    groups = []
    for index, (operation, taken) in enumerate(times.items()):
        some = []
        for ours, peer, targets in pairs:
            target = targets[index] if index < len(targets) else None
            some.append(svg.Bar(*ratio(taken[peer], taken[ours]), target))
        groups.append((operation, some))
    unit = f"times faster; the line is 1 {svg.TIMES}"
    if pairs[0][2]:
        unit += ", the stroke on a bar the figure to reach"
    return svg.bars(
        f"{name}: strongroom beside openai-agents",
        groups,
        [f"{ours} against {peer}" for ours, peer, _ in pairs],
        unit,
    )


def _network_plot(found: dict[str, Any]) -> str:
    series = {
        name: [
            (count, *(1000 * measured[str(count)][p] for p in ("p50", "p99")))
            for count in concurrencies(found)
        ]
        for name, measured in found["operations"]["append 1"].items()
        if name != BARE_FLOOR
    }
    return svg.lines(
        "Append to PostgreSQL, 1 ms away each way: p50, and p99 dashed",
        series,
        "sessions at once",
        "milliseconds",
    )
