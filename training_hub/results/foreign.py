"""The metrics that other programs log, in the schema of a run's own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from training_hub.errors import ConfigError
from training_hub.metrics import CORE, name_rule
from training_hub.stored import NUMBER, Damaged, misfit, text_of

Row = dict[str, Any]

# What instructlab-training, mini-trainer, and the trainers over TRL call their files, the most telling name first.
_LOGS = (
    "training_params_and_metrics_global0.jsonl",
    "training_metrics_0.jsonl",
    "training_metrics.jsonl",
    "training_log.jsonl",
    "metrics.jsonl",
)
_STATE = "trainer_state.json"  # of transformers' Trainer
_OTHER_NAMES = {
    "loss": ("avg_loss", "train_loss"),
    "eval_loss": ("val_loss",),
    "lr": ("learning_rate",),
    "grad_norm": ("gradnorm",),
    "tokens": ("num_input_tokens_seen", "num_tokens"),
    "samples": ("samples_seen", "total_samples_accumulated"),
}
# What these programs write beside metrics, and what is read from it.
_NO_METRICS = {
    "rank", "batch_size", "max_steps", "num_epoch_steps", "steps_per_epoch", "overall_throughput", "time_per_batch",
    "num_tokens_rank0", "num_total_tokens", *(name for names in _OTHER_NAMES.values() for name in names),
}  # fmt: skip


def log_in(folder: Path) -> Path | None:
    """The file in a folder that a program has logged its metrics to; None where there is none."""
    states = sorted(folder.glob(f"checkpoint-*/{_STATE}"), key=lambda file: file.stat().st_mtime, reverse=True)
    named = (folder / name for name in (*_LOGS, _STATE))
    return next((file for file in [*named, *states] if file.is_file()), None)


def read(file: Path, keys: Sequence[str] = ()) -> list[Row]:
    """The rows of such a file. A last line that is still being written is left out; ConfigError for a broken one.

    keys: see `renamed`.
    """
    if file.name == _STATE:
        logged = _parsed(file, text_of(file)).get("log_history") or []
        if misfit(logged, [dict]):
            raise Damaged(file, "its log_history is not a list of rows")
        of_steps = (row for row in logged if "train_runtime" not in row)  # which has the means of all steps
        return _newest(_translated(of_steps, keys))
    lines = text_of(file).split("\n")[:-1]
    parsed = (_parsed(file, line, number) for number, line in enumerate(lines, 1) if line.strip())
    return _newest(_translated(parsed, keys))


def _parsed(file: Path, text: str, line: int | None = None) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ConfigError(f"{file}: {f'line {line} is' if line else 'is'} not a JSON object")
    return found


def renamed(row: Row, keys: Sequence[str], logged: Mapping[str, Any] = MappingProxyType({})) -> Row:
    """A row with the first number among keys, as it was logged or is called here, under the name of the first."""
    return row | {keys[0]: _number({**row, **logged}, *keys)} if keys else row


def _translated(logged: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    sums = {"tokens": 0.0, "seconds": 0.0}
    lr = None
    for each in logged:
        row: Row = {key: _number(each, key, *_OTHER_NAMES.get(key, ())) for key in CORE} | _further(each)
        if per_epoch := _number(each, "num_epoch_steps", "steps_per_epoch"):
            row["epoch"] = row["step"] and row["step"] / per_epoch
        if "avg_loss" in each:  # instructlab-training logs the rate after the scheduler has moved on
            row["lr"], lr = lr, row["lr"]
        _count(each, row, sums)
        row = renamed(row, keys, each)
        if any(row[name] is not None for name in ("loss", "eval_loss", *keys[:1])):
            row["step"] = len(rows) + 1 if row["step"] is None else row["step"]
            rows.append(row)
    return rows


def _further(logged: Mapping[str, Any]) -> Row:
    """The metrics beyond the core, under the names that the program gave them."""
    names = (name for name in logged if name not in _NO_METRICS and name_rule(name) is None)
    return {name: value for name in names if (value := _number(logged, name)) is not None}


def _count(logged: Mapping[str, Any], row: Row, sums: dict[str, float]) -> None:
    """Tokens and seconds so far, from those of a step."""
    speed = _number(logged, "overall_throughput")  # rows a second
    seconds = size / speed if speed and (size := _number(logged, "batch_size")) else _number(logged, "time_per_batch")
    tokens = _number(logged, "num_tokens_rank0", "num_total_tokens")
    for key, value in (("tokens", tokens), ("seconds", seconds)):
        if value is not None and row[key] is None:
            sums[key] += value
            row[key] = sums[key]
    if tokens and seconds and row["tokens_per_second"] is None:
        row["tokens_per_second"] = tokens / seconds


def _number(row: Mapping[str, Any], *names: str) -> float | None:
    values = (row.get(name) for name in names)
    return next((value for value in values if not misfit(value, NUMBER)), None)


def _newest(rows: list[Row]) -> list[Row]:
    """Without what was trained again: these programs add to the file of the run before."""
    kept: list[Row] = []
    for row in rows:
        while kept and _replaced(kept[-1], row):
            kept.pop()
        kept.append(row)
    return kept


def _replaced(old: Row, new: Row) -> bool:
    same_kind = (old["loss"] is None) == (new["loss"] is None)
    return bool(old["step"] > new["step"] or (old["step"] == new["step"] and same_kind))
