"""Three kinds of plots as SVG, with colours for a light and a dark background in one file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 860
TIMES = "\N{MULTIPLICATION SIGN}"
_LIGHT = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#cf222e", "#0a7d91", "#6e7781")
_DARK = ("#58a6ff", "#f0883e", "#3fb950", "#bc8cff", "#ff7b72", "#39c5cf", "#8b949e")
_STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: %(ink)s }
.title { font-size: 15px; font-weight: 600 } .small { font-size: 11px; fill: %(pale)s }
.paper { fill: %(paper)s } .grid { stroke: %(grid)s } .mark { stroke: %(ink)s }
"""
_INK = {
    "light": {"ink": "#1f2328", "pale": "#59636e", "paper": "#ffffff", "grid": "#d1d9e0"},
    "dark": {"ink": "#e6edf3", "pale": "#9198a1", "paper": "#0d1117", "grid": "#30363d"},
}


def _style() -> str:
    def colours(palette: Sequence[str]) -> str:
        return " ".join(
            f".f{i} {{ fill: {c} }} .s{i} {{ stroke: {c}; fill: none }}"
            for i, c in enumerate(palette)
        )

    light = _STYLE % _INK["light"] + colours(_LIGHT)
    dark = _STYLE % _INK["dark"] + colours(_DARK)
    return f"<style>{light}\n@media (prefers-color-scheme: dark) {{{dark}}}</style>"


def _document(height: float, title: str, parts: list[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'width="{WIDTH}" height="{height:.0f}" role="img" aria-label="{escape(title)}">'
    )
    paper = f'<rect class="paper" width="{WIDTH}" height="{height:.0f}" rx="6"/>'
    return "\n".join([head, _style(), paper, _text(20, 28, title, "title"), *parts, "</svg>\n"])


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str = "grid", more: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}" {more}/>'


def _legend(names: Sequence[str], y: float) -> list[str]:
    parts, x = [], 20.0
    for index, name in enumerate(names):
        parts.append(f'<rect x="{x}" y="{y - 10}" width="11" height="11" class="f{index}"/>')
        parts.append(_text(x + 16, y, name))
        x += 34 + 7 * len(name)
    return parts


@dataclass(frozen=True)
class Axis:
    """From data to pixels, logarithmic or ``even``; ``marks`` are its ticks if not 1, 2, 5."""

    low: float
    high: float
    start: float
    end: float
    even: bool = False
    marks: Sequence[float] = ()

    def at(self, value: float) -> float:
        if self.even:
            share = (value - self.low) / (self.high - self.low)
        else:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        decades = range(math.floor(math.log10(self.low or 1)), math.ceil(math.log10(self.high)) + 1)
        every = self.marks or [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
        return [tick for tick in every if self.low <= tick <= self.high]


def _axes(x: Axis, y: Axis, x_label: str, y_label: str, format_x: str = "{:g}") -> list[str]:
    parts = []
    for tick in x.ticks():
        parts.append(_line(x.at(tick), y.start, x.at(tick), y.end))
        parts.append(_text(x.at(tick), y.start + 16, format_x.format(tick), "small", "middle"))
    for tick in y.ticks():
        parts.append(_line(x.start, y.at(tick), x.end, y.at(tick)))
        parts.append(_text(x.start - 6, y.at(tick) + 4, f"{tick:g}", "small", "end"))
    parts.append(_text((x.start + x.end) / 2, y.start + 36, x_label, "small", "middle"))
    parts.append(_text(20, y.end - 10, y_label, "small"))
    return parts


# Plots --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Point:
    """A mark: ``colour`` and ``shape`` are indexes into the two legends."""

    x: float
    y: float
    label: str
    colour: int
    shape: int


_SHAPES = ("circle", "square", "diamond", "star")
_SIGNS = "●■◆★"


def scatter(
    title: str,
    points: Sequence[Point],
    colours: Sequence[str],
    shapes: Sequence[str],
    x_label: str,
    y_label: str,
    format_x: str = "{:g}",
) -> str:
    """Draw points on an even and a logarithmic axis; those with a label bear it."""
    height = 560
    most = 20 * math.ceil(max(p.x for p in points) / 20)
    x = Axis(0, most, 60, WIDTH - 30, even=True, marks=range(0, most + 1, 20))
    y = Axis(min(p.y for p in points) * 0.8, max(p.y for p in points) * 1.25, height - 60, 100)
    parts = _legend(colours, 54)
    signs = "    ".join(f"{_SIGNS[i]} {name}" for i, name in enumerate(shapes))
    parts.append(_text(WIDTH - 30, 54, signs, "", "end"))
    parts += _axes(x, y, x_label, y_label, format_x)
    # Boxes of left, right and baseline where something is drawn already.
    taken = [(x.at(p.x) - 7, x.at(p.x) + 7, y.at(p.y) + 4) for p in points]
    for point in points:
        parts.append(_mark(point.shape, x.at(point.x), y.at(point.y), f"f{point.colour}"))
    for point in sorted(points, key=lambda point: point.y):
        if point.label:
            parts += _label(point, x, y, taken)
    return _document(height, title, parts)


def _label(point: Point, x: Axis, y: Axis, taken: list[tuple[float, float, float]]) -> list[str]:
    """Write beside a point, where nothing is drawn yet, with a line from it to there."""
    width = 7.0 * len(point.label)
    at, top = x.at(point.x), y.at(point.y) + 4
    spots = [
        (left, left + width, top + shift)
        for far in (10, 40, 80, 130)
        for shift in (0, -14, 14, -28, 28, -42, 42)
        for left in (at + far, at - far - width)
        if x.start < left and left + width < x.end and y.end < top + shift < y.start - 4
    ]
    free = [
        spot
        for spot in spots
        if all(spot[1] < a or spot[0] > b or abs(spot[2] - c) > 12 for a, b, c in taken)
    ]
    spot = (free or spots)[0]
    taken.append(spot)
    end = spot[0] - 2 if spot[0] > at else spot[1] + 2
    line = [_line(at, top - 4, end, spot[2] - 4)] if abs(end - at) > 12 or spot[2] != top else []
    return [*line, _text(spot[0], spot[2], point.label)]


def _mark(shape: int, x: float, y: float, kind: str) -> str:
    if _SHAPES[shape] == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5" class="{kind}"/>'
    if _SHAPES[shape] == "square":
        return f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" class="{kind}"/>'
    if _SHAPES[shape] == "diamond":
        corners = ((0, -7), (7, 0), (0, 7), (-7, 0))
    else:
        corners = tuple(
            (r * math.sin(i * math.pi / 5), -r * math.cos(i * math.pi / 5))
            for i in range(10)
            for r in ((8.5 if i % 2 == 0 else 3.6),)
        )
    path = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return f'<polygon points="{path}" class="{kind}"/>'


@dataclass(frozen=True)
class Bar:
    """A value with its spread, and the value to reach."""

    value: float
    low: float
    high: float
    target: float | None = None


def bars(
    title: str, groups: Sequence[tuple[str, Sequence[Bar]]], names: Sequence[str], unit: str
) -> str:
    """Draw groups of horizontal bars from 0; a stroke across a bar is its target."""
    thick, gap, top = 13, 12, 84
    most = max(max(bar.value, bar.target or 0) for _, some in groups for bar in some) * 1.1
    scale = (WIDTH - 230) / most
    parts = _legend(names, 54)
    parts.append(_text(20, 72, unit, "small"))
    y = float(top)
    for name, some in groups:
        parts.append(_text(142, y + thick * len(some) / 2 + 4, name, "", "end"))
        for index, bar in enumerate(some):
            at = y + index * thick
            width = bar.value * scale
            parts.append(
                f'<rect x="150" y="{at:.1f}" width="{width:.1f}" height="{thick - 2}" '
                f'class="f{index}"/>'
            )
            x = 150 + (bar.target or 0) * scale
            label = x + 6 if -6 < x - 150 - width < 46 else 156 + width
            parts.append(_text(label, at + 10, f"{bar.value:.1f} {TIMES}", "small"))
            if bar.target:
                parts.append(_line(x, at - 1, x, at + thick - 1, "mark", 'stroke-width="2"'))
        y += thick * len(some) + gap
    parts.append(_line(150 + scale, top - 6, 150 + scale, y - gap + 4, "mark", 'opacity="0.5"'))
    return _document(y + 8, title, parts)


def lines(
    title: str,
    series: dict[str, Sequence[tuple[float, float, float]]],
    x_label: str,
    y_label: str,
) -> str:
    """Draw medians as lines and p99 as dashes, on two logarithmic axes."""
    height = 480
    every = [point for some in series.values() for point in some]
    marks = sorted({point[0] for point in every})
    x = Axis(marks[0] * 0.9, marks[-1] * 1.1, 60, WIDTH - 40, marks=marks)
    y = Axis(min(p[1] for p in every) * 0.8, max(p[2] for p in every) * 1.25, height - 60, 100)
    parts = _legend(list(series), 54)
    grid = _axes(x, y, x_label, y_label)
    parts += grid
    for index, some in enumerate(series.values()):
        for column, dash in ((1, ""), (2, 'stroke-dasharray="5 4"')):
            path = " ".join(f"{x.at(p[0]):.1f},{y.at(p[column]):.1f}" for p in some)
            parts.append(f'<polyline points="{path}" class="s{index}" stroke-width="2" {dash}/>')
        parts += [_mark(0, x.at(p[0]), y.at(p[1]), f"f{index}") for p in some]
    return _document(height, title, parts)
