"""The runs of a sweep that go on, on a terminal: a line for each, redrawn in place until they end."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from training_hub.results.progress import fitting
from training_hub.results.state import last_row
from training_hub.run import RunDir
from training_hub.terminal import drawn_on, harmless, is_terminal

if TYPE_CHECKING:
    from rich.table import Table

_REDRAW_EVERY_S = 0.5
_MOST = 8  # lines


class Screen:
    """Nothing where standard output is no terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=drawn_on(sys.stdout)) if is_terminal(sys.stdout) else None
        self._live = Live(console=console, auto_refresh=False, transient=True) if console else None
        self._drawn = 0.0

    def __enter__(self) -> Screen:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.stop()

    def draw(self, going: Sequence[tuple[str, RunDir]]) -> None:
        """Show runs by their labels; costs little if called often."""
        if self._live and self._live.is_started and time.monotonic() - self._drawn > _REDRAW_EVERY_S:
            self._drawn = time.monotonic()
            self._live.update(lines(going, self._live.console.width), refresh=True)


def lines(going: Sequence[tuple[str, RunDir]], width: int) -> Table:
    """A line for each run: its label, its step, its numbers as far as there is room."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for label, run in ((harmless(label), run) for label, run in going[:_MOST]):
        row, total = last_row(run), run.read_manifest().get("total_steps")
        step = f"{row['step']}/{total or '?'}" if row else ""
        room = width - len(label) - len(step) - 6
        grid.add_row(*(Text(each, no_wrap=True) for each in (label, step, fitting(row, room) if row else "starting")))
    if len(going) > _MOST:
        grid.add_row(f"... and {len(going) - _MOST} more")
    return grid
