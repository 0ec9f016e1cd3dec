"""How the demo shows what is going on: a live picture on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from pdsno.cli.demo_run import STAGES, View

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAMES_A_SECOND = 8


class PlainView:
    """A line for each stage and each note, on stderr."""

    def begin(self, stage: str) -> None:
        """Name the stage."""
        self._say(f"{stage} …")

    def note(self, text: str) -> None:
        """Write a line."""
        self._say(f"  {text}")

    def passing(self, text: str) -> None:
        """Leave it out."""

    def end(self, stage: str, seconds: float) -> None:
        """Say how long it took."""
        self._say(f"{stage} done in {seconds:.1f} s")

    @staticmethod
    def _say(line: str) -> None:
        # The reader of stderr may have gone: no reason to stop half-way and leave a lab behind.
        with suppress(OSError):
            click.echo(line, err=True)


@dataclass(slots=True)
class _Row:
    """One stage of the picture. `seconds` None: it has not ended."""

    began: float | None = None
    seconds: float | None = None
    notes: list[str] = field(default_factory=list)
    passing: str = ""


class LiveView:
    """All stages at once: what is done, what is going on, what is to come."""

    def __init__(self) -> None:
        self._rows = {stage: _Row() for stage in STAGES}
        self._current = STAGES[0]
        self._lock = threading.Lock()

    def begin(self, stage: str) -> None:
        """Start the stage's clock."""
        with self._lock:
            self._current = stage
            self._rows[stage].began = time.monotonic()

    def note(self, text: str) -> None:
        """Keep a line below the stage."""
        with self._lock:
            self._rows[self._current].notes.append(text)

    def passing(self, text: str) -> None:
        """Show it until the next one."""
        with self._lock:
            self._rows[self._current].passing = text

    def end(self, stage: str, seconds: float) -> None:
        """Stop the stage's clock."""
        with self._lock:
            self._rows[stage].seconds = seconds

    def __rich__(self) -> "Table":
        """Draw the picture as it is now."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(width=1)
        table.add_column(min_width=11)
        table.add_column(justify="right", min_width=7)
        table.add_column(overflow="fold")
        now = time.monotonic()
        with self._lock:
            for stage, row in self._rows.items():
                mark, style = _mark(row, now)
                table.add_row(
                    Text(mark, style=style),
                    Text(stage, style="" if row.began else "dim"),
                    Text(_elapsed(row, now)),
                    _story(row),
                )
        return table


def _mark(row: _Row, now: float) -> tuple[str, str]:
    if row.seconds is not None:
        return "✓", "green"
    if row.began is None:
        return "·", "dim"
    return _FRAMES[int(now * _FRAMES_A_SECOND) % len(_FRAMES)], "cyan"


def _elapsed(row: _Row, now: float) -> str:
    if row.began is None:
        return ""
    return f"{now - row.began if row.seconds is None else row.seconds:.1f} s"


def _story(row: _Row) -> "Text":
    from rich.text import Text

    lines = [Text(one) for one in row.notes]
    if row.passing and (row.seconds is None or not row.notes):
        lines.append(Text(row.passing, style="dim"))
    return Text("\n").join(lines)


@contextmanager
def shown() -> Iterator[View]:
    """Give the view that fits stderr; the picture stays where it ended."""
    if not sys.stderr.isatty():
        yield PlainView()
        return
    from rich.console import Console
    from rich.live import Live

    view = LiveView()
    console = Console(stderr=True, highlight=False)
    with Live(view, console=console, refresh_per_second=_FRAMES_A_SECOND):
        yield view
