"""Reads docs/operations.md as the script that it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"

_TOKEN = re.compile(
    r"^### (?P<step>[a-d]\.\d) [^\n]*$"
    r"|^```(?P<language>python|bash)\n(?P<code>.*?)^```$"
    r"|^\*\*(?P<order>Roll out|Stop every worker|Start every worker)\.\*\*",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Action:
    """A step: ``python`` is a configuration, ``bash`` commands; the rest are orders."""

    step: str
    kind: str
    code: str = ""


def runbook(letter: str) -> Iterator[Action]:
    """Yield what a runbook says, in order."""
    text = OPERATIONS.read_text(encoding="utf-8")
    section = re.search(rf"^## \({letter}\).*?(?=^## )", text, re.MULTILINE | re.DOTALL)
    assert section, letter
    step = ""
    for match in _TOKEN.finditer(section[0]):
        if match["step"]:
            step = match["step"]
        elif match["language"]:
            yield Action(step, match["language"], match["code"])
        else:
            yield Action(step, match["order"])


def residue() -> str:
    """Return the commands that clean a SQLite file."""
    text = OPERATIONS.read_text(encoding="utf-8")
    section = text[text.index("## What the database keeps") :]
    return next(m["code"] for m in _TOKEN.finditer(section) if m["language"] == "bash")
