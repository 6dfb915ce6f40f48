"""A conversation as a person reads it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from strongroom.cli.console import console
from strongroom.cli.errors import name_options
from strongroom.cli.formatting import format_count, format_time, printable
from strongroom.cli.item_text import Part, describe_item

if TYPE_CHECKING:
    from strongroom import SessionStore

_MOST_LINES = 12
_MOST_CHARACTERS = 1200
_STYLES = {"user": "bold cyan", "assistant": "bold green", "system": "bold yellow"}


@dataclass(frozen=True)
class ShownRow:
    """A row: its item, or why it does not open."""

    row_id: int | None
    created_at: dt.datetime | None
    item: Any
    error: str | None = None


async def read_rows(store: SessionStore, session_id: str, last: int | None) -> list[ShownRow]:
    """Read a session, or its last rows; what does not open becomes a row with an error."""
    from strongroom.errors import StrongroomError
    from strongroom.store.row_decoder import RowDecoder
    from strongroom.store.store import core_of
    from strongroom.store.walk import walk, walk_prefixes

    if store.ledger is not None:
        # Only a whole history, or the end of one, can be held against its head.
        items = await store.session(session_id).get_items(limit=last)
        return [ShownRow(None, None, item) for item in items]
    core = core_of(store)
    core.check_session_id(session_id)
    ids = [row.row_id async for page in walk_prefixes(core, session_id=session_id) for row in page]
    wanted = set(ids if last is None else ids[-last:])
    decoder, rows = RowDecoder(core), []
    async for batch in walk(core, session_id=session_id, wanted=lambda row: row.row_id in wanted):
        for row, outcome in zip(batch.rows, await decoder.decode(batch.rows), strict=True):
            if isinstance(outcome, StrongroomError):
                error = f"{type(outcome).__name__}: {name_options(outcome.message)}"
                rows.append(ShownRow(row.row_id, row.created_at, None, error))
            else:
                rows.append(ShownRow(row.row_id, row.created_at, outcome))
    return rows


def print_rows(rows: Sequence[ShownRow], *, full: bool) -> None:
    """Print rows one below the other."""
    for place, row in enumerate(rows):
        if place:
            console().print()
        title, parts = describe_item(row.item)
        if row.error is not None:
            title, parts = "does not open", [Part(row.error, folds=False)]
        about = "  ".join(
            filter(None, (format_time(row.created_at), f"row {row.row_id}" if row.row_id else ""))
        )
        _print_title(title, about, "bold red" if row.error else _STYLES.get(title, "bold"))
        for part in parts:
            _print_part(part, full=full)


def _print_title(title: str, about: str, style: str) -> None:
    from rich.text import Text

    output = console()
    text = Text(printable(title), style=style)
    room = output.width - text.cell_len - len(about)
    if not output.is_terminal:
        text.append(f"  {about}" if about else "", "not bold dim")
    elif about and room >= 2:
        text.append(" " * room + about, "not bold dim default")
    output.print(text)


def _print_part(part: Part, *, full: bool) -> None:
    from rich.text import Text

    output = console()
    text, rest = (part.text, "") if full or not part.folds else _fold(part.text)
    for line in printable(text, lines=True).split("\n"):
        if not output.is_terminal:
            output.print(Text("  " + line))
            continue
        for piece in Text(line).wrap(output, max(output.width - 2, 10)) or [Text("")]:
            output.print(Text("  ") + piece, no_wrap=True, overflow="ignore", crop=False)
    if rest:
        output.print(Text(f"  … {rest} (--full shows it)", style="dim"))


def _fold(text: str) -> tuple[str, str]:
    """Return the beginning of a long text, and how much was left out."""
    lines = text.split("\n")
    kept = "\n".join(lines[:_MOST_LINES])[:_MOST_CHARACTERS]
    left_out = len(text) - len(kept)
    if left_out <= 80:
        return text, ""
    return kept, format_count(left_out, "more characters")
