"""The progress of a run, read from its directory: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from training_hub.data.notes import warnings
from training_hub.metrics import CORE, latest
from training_hub.run import RunDir
from training_hub.terminal import drawn_on, is_terminal, say, shown

if TYPE_CHECKING:
    from rich.progress import TaskID

_PLAIN_EVERY_S = 5.0
_FEW = 4  # of the further metrics are shown
_STARTING = ("starting", "loading libraries and model")
_BESIDE = len("training" + "0:00:00" + "0:00:00 left" + "     ")  # of the bar, the steps and the numbers


class _View(Protocol):
    def say(self, what: str, of_what: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def show(self, total: int, row: dict[str, Any], left_s: float | None) -> None: ...
    def close(self) -> None: ...


class Progress:
    """Follows metrics.jsonl; `tick` is cheap where nothing has changed."""

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self._size = self._written()  # a run that goes on has rows already
        self._manifest: tuple[int, int] | None = None
        self._waits = False
        self._warned = False
        self._view: _View = _Bar() if is_terminal(sys.stdout) else _Lines()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._view.close()

    def tick(self) -> None:
        """Show what is new since the last call."""
        size = self._written()
        if size == self._size:
            self._wait()
            return
        self._size = size
        rows = self._run.read_metrics()
        if not rows:
            return
        manifest = self._run.read_manifest()
        self._warn(manifest)
        total = int(manifest.get("total_steps") or 0)
        trained = [row for row in rows if row["loss"] is not None]
        evaluated = [row["eval_loss"] for row in rows if row["eval_loss"] is not None]
        row = dict(trained[-1] if trained else rows[-1], eval_loss=evaluated[-1] if evaluated else None)
        row |= latest(rows)
        self._view.show(total, row, seconds_left(trained, total))

    def _wait(self) -> None:
        """Say of a job whether it waits for its turn; one that is queued again does so more than once."""
        manifest = self._run.manifest.stat() if self._run.manifest.exists() else None
        version = manifest and (manifest.st_ino, manifest.st_mtime_ns)
        if version == self._manifest:
            return
        self._manifest = version
        known = self._run.read_manifest()
        self._warn(known)
        if known.get("status") == "pending":
            self._waits = True
            self._view.say("waiting", "for its turn")
        elif self._waits:
            self._waits = False
            self._view.say(*_STARTING)

    def _warn(self, manifest: dict[str, Any]) -> None:
        """Say what is to be said about the data, once it is prepared."""
        told = [] if self._warned else warnings(manifest.get("data") or {})
        self._warned = self._warned or bool(told)
        for text in told:
            self._view.warn(f"warning: {text}")

    def _written(self) -> int:
        return self._run.metrics.stat().st_size if self._run.metrics.exists() else 0


def seconds_left(rows: list[dict[str, Any]], total: int) -> float | None:
    """Seconds to go at the pace of the rows after the first, which carries the warm-up; None while unknown.

    total: steps in all, 0 where unknown.
    """
    if len(rows) < 2 or not total:
        return None
    first, last = rows[0], rows[-1]
    if first["seconds"] is None or last["seconds"] is None:
        return None
    steps, seconds = last["step"] - first["step"], last["seconds"] - first["seconds"]
    return float(seconds / steps * max(0, total - last["step"])) if steps > 0 else None


def duration(seconds: float | None) -> str:
    """`75.2` -> `1:15`; `-:--` where unknown."""
    if seconds is None or not math.isfinite(seconds):
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def describe(row: dict[str, Any]) -> str:
    """The numbers of one row of metrics, those that are known; of the further metrics the first few."""
    shown = {"loss": ".4f", "eval_loss": ".4f", "lr": ".2e", "grad_norm": ".2f"}
    parts = [f"{key.replace('_', ' ')} {row[key]:{form}}" for key, form in shown.items() if row[key] is not None]
    if row["tokens_per_second"] is not None:
        parts.append(f"{row['tokens_per_second']:,.0f} tokens/s")
    further = [f"{name} {value:.4g}" for name, value in latest([row]).items()]
    return "  ".join([*parts, *further[:_FEW]])


def fitting(row: dict[str, Any], room: int) -> str:
    """The same in at most so many characters: what is least worth watching is left out first, the loss never."""
    for least in (*reversed(latest([row])), "grad_norm", "lr", "tokens_per_second", "eval_loss"):
        if len(describe(row)) <= room:
            break
        row = row | {least: None}
    return describe(row)


class _Lines:
    """A line at most every few seconds, and one for the last step."""

    def __init__(self) -> None:
        self._shown_at = -_PLAIN_EVERY_S
        self._known: dict[str, float] = {}

    def say(self, what: str, of_what: str) -> None:
        pass

    def warn(self, text: str) -> None:
        say(text)

    def show(self, total: int, row: dict[str, Any], left_s: float | None) -> None:
        now = time.monotonic()
        if now - self._shown_at >= _PLAIN_EVERY_S or row["step"] == total:
            self._shown_at = now
            of_all = f"/{total}" if total else ""
            say(f"step {row['step']}{of_all}  {describe(self._new(row))}  {duration(left_s)} left")

    def _new(self, row: dict[str, Any]) -> dict[str, Any]:
        """Without what was shown before and is rarely measured: once is enough."""
        rare = {name: value for name, value in row.items() if name == "eval_loss" or name not in CORE}
        shown = {name for name, value in rare.items() if self._known.get(name) == value}
        self._known = rare
        return row | dict.fromkeys(shown)

    def close(self) -> None:
        pass


class _Bar:
    """rich's progress bar."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column

        console = Console(file=drawn_on(sys.stdout))
        bar_width = min(40, max(10, console.width // 8))
        self._room = console.width - bar_width - _BESIDE
        columns = (
            TextColumn("{task.description}"), BarColumn(bar_width),
            MofNCompleteColumn(table_column=Column(no_wrap=True)), TextColumn("{task.fields[numbers]}"),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[left]} left", table_column=Column(no_wrap=True)),
        )  # fmt: skip
        self._bar = RichProgress(*columns, console=console)
        description, numbers = _STARTING
        self._task: TaskID = self._bar.add_task(description, total=None, numbers=numbers, left="-:--")
        self._bar.start()

    def say(self, what: str, of_what: str) -> None:
        self._bar.update(self._task, description=what, numbers=of_what, left="-:--")

    def warn(self, text: str) -> None:
        self._bar.console.print(shown(text), markup=False, highlight=False, soft_wrap=True)

    def show(self, total: int, row: dict[str, Any], left_s: float | None) -> None:
        done, left = row["step"], duration(left_s)
        numbers = fitting(row, self._room - len(f"{done}/{total}"))
        self._bar.update(
            self._task, description="training", total=total or None, completed=done, numbers=numbers, left=left
        )

    def close(self) -> None:
        self._bar.stop()
