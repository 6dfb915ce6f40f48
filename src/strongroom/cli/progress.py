"""How far a long operation is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from strongroom.cli.console import console, is_interactive, note

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import Task

_SECONDS_BETWEEN_LINES = 5.0


class Step(Protocol):
    """How far an operation is; ``strongroom.maintenance.Progress`` is one."""

    @property
    def done(self) -> int:
        """How much is done."""

    @property
    def total(self) -> int:
        """How much there is to do; 0 if that is not known."""

    @property
    def stage(self) -> str:
        """The name of this part of the work."""


@contextmanager
def progress(unit: str = "rows", *, apart: bool = True) -> Iterator[Callable[[Step], None]]:
    """Draw the steps that the returned function is called with.

    Where results may come out on the same terminal, not ``apart``, there is no bar, and nothing is
    said of what is soon done.
    """
    if not apart or not is_interactive(sys.stderr):
        yield _Lines(unit, tells_end=apart)
        return
    with _bars(unit) as bars:
        drawn = _Drawn(bars)
        yield drawn
        drawn.finish()


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show that something goes on whose end is not known."""
    if not is_interactive(sys.stderr):
        yield
        return
    with console(stderr=True).status(what):
        yield


class _Drawn:
    """One bar for each stage."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task: Any = None
        self._stage = ""
        self._done = 0

    def __call__(self, step: Step) -> None:
        if step.stage != self._stage:
            self.finish()
            self._task = self._bars.add_task(step.stage, total=step.total or None)
            self._stage = step.stage
        self._done = step.done
        self._bars.update(self._task, completed=step.done)

    def finish(self) -> None:
        """Fill the bar of the last stage: its total was counted before, and nothing is left."""
        if self._task is not None:
            self._bars.update(self._task, total=self._done)
            self._bars.stop_task(self._task)


class _Lines:
    """A line every few seconds, and one when a stage ends."""

    def __init__(self, unit: str, *, tells_end: bool) -> None:
        self._unit = unit
        self._tells_end = tells_end
        self._stage = ""
        self._ended = False
        self._start = self._next = 0.0

    def __call__(self, step: Step) -> None:
        now = time.monotonic()
        if step.stage != self._stage:
            self._stage, self._start, self._next = step.stage, now, now + _SECONDS_BETWEEN_LINES
            self._ended = False
        ended = bool(step.total) and step.done >= step.total
        if self._ended or (now < self._next and not (ended and self._tells_end)):
            return
        self._ended = ended
        self._next = now + _SECONDS_BETWEEN_LINES
        rate = step.done / (now - self._start) if now - self._start > 0.1 else None
        note(f"{step.stage}: {_figures(step.done, step.total, rate, self._unit, 80)}")


def _bars(unit: str) -> Bars:
    from rich.progress import BarColumn, ProgressColumn, TextColumn
    from rich.progress import Progress as Bars
    from rich.table import Column
    from rich.text import Text

    output = console(stderr=True)

    class Figures(ProgressColumn):
        """As many figures as the terminal has room for."""

        def render(self, task: Task) -> Text:
            total = int(task.total or 0)
            speed = task.finished_speed or task.speed
            text = _figures(int(task.completed), total, speed, unit, output.width)
            return Text(text, no_wrap=True)

    return Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        Figures(table_column=Column(no_wrap=True)),  # or the bar would take some of its room
        console=output,
        expand=True,
    )


def _figures(done: int, total: int, rate: float | None, unit: str, width: int) -> str:
    """Return how far it is, how fast it goes, and how long it will take."""
    parts = [f"{done:,}/{total:,} {unit}" if total else f"{done:,} {unit}"]
    if width < 60 and total:
        parts = [f"{min(done * 100 // total, 100)}%"]
    if rate is not None and width >= 72:
        parts.append(f"{rate:,.0f}/s")
    if rate and total > done and width >= 40:
        parts.append(f"{_clock((total - done) / rate)} left")
    return "  ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
