"""A run on the terminal: the figures that have one to reach, and two runs beside each other."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

from all_codecs import BYTES_TARGETS
from contenders import ENCRYPTED
from floors import FLOOR
from network import PAIRS, speedup
from network import TARGETS as NETWORK_TARGETS
from sidebyside import BULK, FLOOR_TARGETS, pairs_of, ratio

Run = dict[str, Any]


def _lines(run: Run) -> Iterable[str]:
    """Yield the figures that have one to reach, and whether they do."""
    for name, times in run.get("sidebyside", {}).items():
        for ours, peer, targets in pairs_of(name):
            yield f"\n{name}: {ours} : {peer}"
            for operation, target in zip(times, targets or [None] * 9, strict=False):
                figure = ratio(times[operation][peer], times[operation][ours])
                yield _line(operation, figure, target)
        floor = next(iter(times.values())).get(FLOOR)
        if floor:
            yield f"\n{name}: orjson : {FLOOR} (at most)"
            for operation, taken in times.items():
                most = FLOOR_TARGETS[name][operation in BULK]
                yield _line(operation, ratio(taken["orjson"], taken[FLOOR]), most, below=True)
    network = run.get("network", {}).get("PostgreSQL")
    if network:
        for peer, ours in PAIRS:
            yield f"\nPostgreSQL, 1 ms each way: {ours} : {peer}"
            for operation, figures in network["operations"].items():
                figure = speedup(figures, peer, ours, 1)
                yield _line(operation, figure, NETWORK_TARGETS[operation])
    for spec, shares in run.get("codecs", {}).get("sizes", {}).items():
        most = BYTES_TARGETS.get(spec, "-")
        figures = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
        yield f"{spec}, bytes against {ENCRYPTED}: {figures} (at most {most})"


def _spread(figure: tuple[float, ...]) -> str:
    value, low, high = figure
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


def _line(
    name: str, figure: tuple[float, ...], target: float | None, *, below: bool = False
) -> str:
    text = f"  {name:20} {_spread(figure):20}"
    if target is None:
        return text
    reached = round(figure[0], 1) <= target if below else round(figure[0], 1) >= target
    return f"{text} {target:>5} {'' if reached else '  NOT REACHED'}"


def summary(run: Run) -> str:
    """Return what a run found, for the terminal."""
    skipped = [f"Not measured: {name} ({reason})." for name, reason in run["skipped"].items()]
    return "\n".join([*_lines(run), *skipped, f"{run['seconds']:.0f} seconds."])


def comparison(before: Run, after: Run) -> str:
    """Return the medians of two runs beside each other, and their ratio."""
    lines = [f"Before: {before['machine']['date']}. Milliseconds, and what became of them:"]
    for name, times in after.get("sidebyside", {}).items():
        old = before.get("sidebyside", {}).get(name, {})
        for operation, taken in times.items():
            lines.append(f"\n{name}: {operation}")
            for contender, values in taken.items():
                was = old.get(operation, {}).get(contender)
                if was:
                    lines.append(
                        _change(contender, statistics.median(was), statistics.median(values))
                    )
    old_codecs = {
        (one["shape"], one["codec"], one["column"]): one
        for one in before.get("codecs", {}).get("figures", [])
    }
    for one in after.get("codecs", {}).get("figures", []):
        was = old_codecs.get((one["shape"], one["codec"], one["column"]))
        if was and one["shape"] == "mix":
            for what in ("encode", "decode"):
                label = f"{one['codec']}, {one['column']}: {what} an item"
                lines.append(_change(label, was[what], one[what]))
    return "\n".join(lines)


def _change(name: str, before: float, after: float) -> str:
    return f"  {name:44} {before * 1000:9.3f} → {after * 1000:9.3f}   {after / before:5.2f}"
