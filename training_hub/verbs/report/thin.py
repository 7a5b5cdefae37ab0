"""Rows of metrics as columns, with no more of them than a screen can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from training_hub.metrics import CORE
from training_hub.results.curves import AXES

Columns = dict[str, list[float | None]]
QUANTITIES = ("loss", "lr", "grad_norm", "tokens_per_second")
_DIGITS = 6  # significant ones


def columns(rows: Sequence[dict[str, Any]], key: str, most: int) -> Columns:
    """The rows that have a number for key, as columns: number (of the row), AXES, and the metrics.

    The column of a metric beside the core is `value`: its name may be that of an axis.

    Of more than `most` rows, those are kept in which key is lowest or highest among their neighbours.
    """
    filled = _filled(rows)
    known = [(number, row) for number, row in enumerate(row for row in filled if _is_number(row.get(key)))]
    kept = _extremes(known, key, most) if len(known) > most else known
    core = QUANTITIES if key == "loss" else (key,)
    named = {**AXES, **({name: name for name in core} if key in CORE else {"value": key})}
    found: Columns = {name: [_rounded(row[source]) for _, row in kept] for name, source in named.items()}
    return found | {"number": [number for number, _ in kept]}


def _filled(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row without a place on an axis has that of the row before."""
    last: dict[str, Any] = dict.fromkeys(AXES.values())
    found = []
    for row in rows:
        last = {name: row[name] if row[name] is not None else value for name, value in last.items()}
        found.append({**row, **last})
    return found


def _extremes(known: list[tuple[int, dict[str, Any]]], key: str, most: int) -> list[tuple[int, dict[str, Any]]]:
    width = math.ceil(2 * len(known) / most)
    kept = {0, len(known) - 1}
    for start in range(0, len(known), width):
        bucket = range(start, min(start + width, len(known)))
        kept |= {min(bucket, key=lambda at: known[at][1][key]), max(bucket, key=lambda at: known[at][1][key])}
    return [known[at] for at in sorted(kept)]


def _is_number(value: Any) -> bool:
    return value is not None and math.isfinite(value)


def _rounded(value: Any) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if _is_number(value) else None
