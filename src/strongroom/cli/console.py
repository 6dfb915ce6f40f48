"""Print tables, notes, questions and JSON."""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from strongroom.cli.errors import CommandError, name_options
from strongroom.cli.exit_codes import USAGE
from strongroom.cli.formatting import printable, to_json

if TYPE_CHECKING:
    from rich.console import Console

_WIDE = 10_000
"""How wide a pipe is: nothing is cut or wrapped there."""


def console(*, stderr: bool = False) -> Console:
    """Return the console of an output; text on it is never taken for markup."""
    return _console(sys.stderr if stderr else sys.stdout)


@cache
def _console(file: Any) -> Console:
    from rich.console import Console

    is_terminal = is_interactive(file)
    return Console(
        file=file,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=not is_terminal,
        force_terminal=is_terminal,
        width=None if is_terminal else _WIDE,
    )


def is_interactive(file: Any) -> bool:
    """Tell whether an output is a terminal that can do more than print lines."""
    return bool(file.isatty()) and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}


def is_file(file: Any) -> bool:
    """Tell whether an output is a file on a disk: what is written there, nobody sees at once."""
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:  # what stands for a file, and is none
        return False


def say(text: str, style: str = "") -> None:
    """Print a line of the result."""
    console().print(printable(text, lines=True), style=style or None)


def note(text: str, style: str = "") -> None:
    """Print a line that is no part of the result."""
    console(stderr=True).print(printable(text, lines=True), style=style or None)


def print_json(value: Any) -> None:
    """Print a JSON document."""
    print(to_json(value))  # noqa: T201 - rich would wrap it


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, best: str = "") -> None:
    """Print rows under headings.

    A column whose heading ends in ``>`` has its text at the right; one that ends in ``?`` is left
    out where a terminal is too narrow. A cell that begins with ``best`` is emphasised.
    """
    from rich.table import Table
    from rich.text import Text

    output = console()
    cells = [[printable(cell) for cell in row] for row in rows]
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    places = _fitting(columns, cells, output.width if output.is_terminal else _WIDE)
    for place in places:
        right = ">" in columns[place]
        shown.add_column(
            columns[place].rstrip(">?"),
            justify="right" if right else "left",
            no_wrap=right,
            overflow="fold",
        )
    for row in cells:
        kept = [row[place] for place in places]
        shown.add_row(
            *(Text(cell, "bold green" if best and cell.startswith(best) else "") for cell in kept)
        )
    with output.capture() as captured:
        output.print(shown)
    for line in captured.get().splitlines():
        output.out(line if output.is_terminal else line.rstrip(), highlight=False)


def _fitting(columns: Sequence[str], cells: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return the places of the columns for which there is room."""
    places = list(range(len(columns)))
    widths = [
        max([len(name.rstrip(">?")), *(len(row[place]) for row in cells)]) + 2
        for place, name in enumerate(columns)
    ]
    for place in reversed(range(len(columns))):
        if sum(widths[place] for place in places) > room + 2 and columns[place].endswith("?"):
            places.remove(place)
    return places


def confirm(question: str, *, yes: bool) -> None:
    """Return if the user agrees; raises CommandError otherwise."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{question} There is nobody to ask: pass --yes.", USAGE)
    note(f"{question} [y/N] ")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandError("Nothing was done.", 1)


class Notes(logging.Handler):
    """Prints what the library logs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line."""
        note(f"note: {name_options(record.getMessage())}")
