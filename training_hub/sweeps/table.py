"""The runs of a sweep, the best one first."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from training_hub.results.progress import duration
from training_hub.sweep_dir import objective

_MOST = 30  # rows of a table that somebody reads


def ranked(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """By held-out loss, or without held-out rows by the last training loss; those without a loss last."""

    def rank(row: Mapping[str, Any]) -> tuple[bool, float]:
        loss = objective(row)
        return loss is None or loss != loss, loss or 0.0

    return sorted(rows, key=rank)


def table(rows: Iterable[Mapping[str, Any]], width: int | None = None) -> str:
    """A ranked table as text. width: characters of a line, None for as many as it takes."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    best = ranked(rows)
    swept = list(dict.fromkeys(key for row in best for key in row["swept"]))
    grid = Table(box=SIMPLE, pad_edge=False)
    for name in ("", *swept, "status"):
        grid.add_column(name)
    for name in ("final loss", "eval loss", "time"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("path", overflow="fold")
    for number, row in enumerate(best[:_MOST], start=1):
        values = [row["swept"].get(key, "") for key in swept]
        losses = [f"{row[key]:.4f}" if row[key] is not None else "" for key in ("final_loss", "eval_loss")]
        place = "" if objective(row) is None else str(number)
        grid.add_row(place, *values, row["status"], *losses, _time(row), Path(row["path"]).name)
    text = io.StringIO()
    Console(file=text, width=width or 10_000, markup=False, highlight=False).print(grid)
    more = f"... and {len(best) - _MOST} more" if len(best) > _MOST else ""
    return "\n".join([*(line.rstrip() for line in text.getvalue().splitlines() if line.strip()), *filter(None, [more])])


def _time(row: Mapping[str, Any]) -> str:
    return "" if row["seconds"] is None else duration(row["seconds"])
