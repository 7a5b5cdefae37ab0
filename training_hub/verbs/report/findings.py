"""What somebody who reads the numbers of runs should be told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import fmean

from training_hub.verbs.report.environment import Fact
from training_hub.verbs.report.gather import Report, Told

_PARTS = {"train": "training", "eval": "held-out"}
_ROSE = 1.02  # how much a held-out loss may rise after its lowest point before it is worth a word
_LIBRARIES = ("torch", "transformers", "trl", "peft", "training_hub", "code", "GPUs")


def findings(report: Report, environment: Sequence[Fact]) -> dict[str, list[str]]:
    """Warnings, each with the runs that it is about, called by their short names; none where it is about all."""
    found: dict[str, list[str]] = {text: [] for text in _of_all(report, environment)}
    for run in report.runs:
        for text in _of_run(run):
            found.setdefault(text, []).append(report.short(run))
    return {text: names if len(names) < len(report.runs) else [] for text, names in found.items()}


def _of_run(run: Told) -> Iterator[str]:
    if run.state.word in ("failed", "interrupted", "cancelled", "lost", "unknown"):
        yield f"{run.state.word}: {run.state.reason}" if run.state.reason else run.state.word
    if any(value is not None and not math.isfinite(value) for row in run.course.rows for value in row.values()):
        yield "some metrics are no numbers"
    yield from run.notes
    yield from _of_losses(run)
    yield from _of_data(run)


def _of_losses(run: Told) -> Iterator[str]:
    train, held_out = [loss for _, loss in run.course.points("loss")], run.course.points("eval_loss")
    some = max(1, len(train) // 10)  # single steps jump
    if len(train) > 1 and (last := fmean(train[-some:])) > (first := fmean(train[:some])):
        yield f"the training loss rose from {first:.4g} to {last:.4g}; a lower lr may help"
    if len(held_out) > 1:
        step, lowest = min(held_out, key=lambda point: point[1])
        if held_out[-1][1] > lowest * _ROSE:
            ending = f"and rose to {held_out[-1][1]:.4g}"
            yield f"the held-out loss was lowest at step {step:g} ({lowest:.4g}) {ending}; fewer steps may be better"


def _of_data(run: Told) -> Iterator[str]:
    for part, told in (run.manifest.get("data") or {}).items():
        if not isinstance(told, dict) or told.get("rows_read") is None:
            continue
        for reason, rows in (told.get("dropped") or {}).items():
            yield f"{rows:,} of {told['rows_read']:,} rows of the {_PARTS.get(part, part)} data were left out: {reason}"
        if told.get("truncated"):
            yield f"{told['truncated']:,} of {told['rows_read']:,} rows of the {_PARTS.get(part, part)} data were cut"
        for what, rows in (told.get("left_out") or {}).items():
            yield f"the chat template does not write the {what} of {rows:,} rows of the {_PARTS.get(part, part)} data"


def _of_all(report: Report, environment: Sequence[Fact]) -> Iterator[str]:
    ranked = [run for run in report.runs if run.objective is not None]
    held_out = [run for run in ranked if run.row["eval_loss"] is not None]
    if report.ranking.metric is None and held_out and len(held_out) < len(ranked):
        yield f"only {len(held_out)} of {len(ranked)} runs have a held-out loss; the others are ranked by another loss"
    for name, values in environment:
        if len(values) > 1 and name in _LIBRARIES:
            yield f"{name} is not the same in all runs"
