"""The runs of a sweep, the best one first."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from training_hub.ranking import BY_LOSS, Ranking, objective, ranked
from training_hub.results.progress import duration

_MOST = 30  # rows of a table that somebody reads


def table(rows: Iterable[Mapping[str, Any]], ranking: Ranking = BY_LOSS, width: int | None = None) -> str:
    """A ranked table as text. width: characters of a line, None for as many as it takes."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    best = ranked(rows, ranking)
    swept = list(dict.fromkeys(key for row in best for key in row["swept"]))
    grid = Table(box=SIMPLE, pad_edge=False)
    for name in ("", *swept, "status"):
        grid.add_column(name)
    for name in (*([ranking.column] if ranking.column else []), "final loss", "eval loss", "time"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("path", overflow="fold")
    for number, row in enumerate(best[:_MOST], start=1):
        values = [row["swept"].get(key, "") for key in swept]
        losses = [f"{row[key]:.4f}" if row[key] is not None else "" for key in ("final_loss", "eval_loss")]
        value = objective(row, ranking)
        place = "" if value is None else str(number)
        further = ["" if value is None else f"{value:.6g}"] if ranking.column else []
        grid.add_row(place, *values, row["status"], *further, *losses, _time(row), Path(row["path"]).name)
    text = io.StringIO()
    Console(file=text, width=width or 10_000, markup=False, highlight=False).print(grid)
    more = f"... and {len(best) - _MOST} more" if len(best) > _MOST else ""
    return "\n".join([*(line.rstrip() for line in text.getvalue().splitlines() if line.strip()), *filter(None, [more])])


def _time(row: Mapping[str, Any]) -> str:
    return "" if row["seconds"] is None else duration(row["seconds"])
