"""The pieces of the report: titles with their texts, tables and figures, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

DASH = "\N{EN DASH}"


def section(title: str, *, level: int = 2, **figures: Any) -> list[str]:
    """Return a section's title, and the text that ``report_texts.md`` has for it."""
    texts = (Path(__file__).parent / "report_texts.md").read_text(encoding="utf-8")
    body = texts.partition(f"\n## {title}\n")[2].partition("\n## ")[0].strip()
    return ["#" * level + f" {title}", *([body.format(**figures)] if body else [])]


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, words: int = 1) -> str:
    """Return a table in Markdown; its first columns hold words, and the others figures."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in (head, rule, *rows))


def details(title: str, text: str) -> str:
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"


def millis(seconds: float) -> str:
    milliseconds = seconds * 1000
    return f"{milliseconds:.2f}" if milliseconds < 10 else f"{milliseconds:.1f}"


def quotient(
    figure: tuple[float, ...], least: float | None = None, most: float | None = None
) -> str:
    """Return a ratio and its quartiles, in bold if it is not what it has to be."""
    value, low, high = figure
    text = f"{value:.1f} ({low:.1f}{DASH}{high:.1f})"
    short = least is not None and round(value, 1) < least
    return f"**{text}**" if short or (most is not None and round(value, 1) > most) else text
