"""The numbers in the README: the one plot and the one table that decide, from a full run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sidebyside import TARGETS, ratio

_BETWEEN = re.compile(r"(<!-- numbers: .*? -->\n).*?(<!-- end of numbers -->)", re.DOTALL)
_OPERATIONS = 9  # those that have a figure to reach


def write(run: dict[str, Any], readme: Path) -> None:
    """Put the numbers of a run between the README's two marks."""
    text = readme.read_text(encoding="utf-8")
    found = _BETWEEN.search(text)
    if found is None:
        raise SystemExit(f"{readme} has no marks to put the numbers between.")
    numbers = f"{found[1]}{_table(run)}\n\n{_machine(run)}\n{found[2]}"
    readme.write_text(text[: found.start()] + numbers + text[found.end() :], encoding="utf-8")


def _table(run: dict[str, Any]) -> str:
    operations = list(next(iter(run["sidebyside"].values())))[:_OPERATIONS]
    lines = [
        f"| | {' | '.join(operations)} |",
        f"| --- |{' ---: |' * len(operations)}",
    ]
    for database, ours, peer in TARGETS:
        times = run["sidebyside"].get(database)
        if times is None:
            continue
        ratios = (ratio(times[name][peer], times[name][ours])[0] for name in operations)
        figures = " | ".join(f"{figure:.1f}" for figure in ratios)
        lines.append(f"| {database}: `{ours}` : `{peer}` | {figures} |")
    return "\n".join(lines)


def _machine(run: dict[str, Any]) -> str:
    machine = run["machine"]
    shown = ("openai-agents", "SQLAlchemy", "aiosqlite", "asyncpg", "cryptography")
    packages = ", ".join(f"{name} {machine['packages'][name]}" for name in shown)
    servers = ", ".join(version for name, version in run["versions"].items() if name != "MariaDB")
    return (
        f"{machine['date']}, {machine['cpu'].strip()}, {machine['cores']} cores, "
        f"{machine['python']}; {servers}; {packages}."
    )
