"""How the runs of a sweep are ranked: by a metric of any name. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from training_hub import metrics
from training_hub.errors import ConfigError, enumerate_names, fault, nearest, suggestion

Row = Mapping[str, Any]  # what came of a run; see `sweep_dir.outcome`
_CORE = {name: key for key, name in metrics.FINAL.items()}  # what result.json calls it -> the metric
_FINAL = {*metrics.FINAL, *_CORE, "first_loss", "eval_loss_before", "peak_memory_gb"}
_RANKED_BY_LOSS = "without rank_by, runs are ranked by the lowest loss"


@dataclass(frozen=True)
class Ranking:
    """metric: its name; None: the held-out loss, without held-out rows the last training loss. mode: min or max."""

    metric: str | None = None
    mode: str = "min"

    @property
    def sign(self) -> int:
        """1 where higher values are better, -1 where lower ones are."""
        return 1 if self.mode == "max" else -1

    @property
    def column(self) -> str | None:
        """The metric, where the losses that every table has do not show it."""
        return None if self.metric in (None, "loss", "eval_loss") else self.metric


BY_LOSS = Ranking()


def ranking_of(metric: str | None, mode: str | None) -> Ranking:
    """The ranking that `rank_by` and `rank_mode` ask for. ConfigError for one that no run can have."""
    if faults := list(_faults(metric, mode)):
        raise ConfigError(*faults)
    if metric is None:
        return BY_LOSS
    own = _CORE.get(metric, metric)
    return Ranking(own, "max" if metrics.sign(own, mode) > 0 else "min")


def _faults(metric: str | None, mode: str | None) -> Iterator[str]:
    if metric is None:
        if mode is not None:
            yield fault("rank_mode", mode, _RANKED_BY_LOSS, "add rank_by=METRIC, or drop it")
        return
    own = _CORE.get(metric, metric)
    if metric not in _FINAL and (rule := metrics.name_rule(metric)):
        is_core = metric in metrics.CORE
        way = "" if is_core else suggestion(metric.casefold(), metrics.FINAL)
        rule = "a run has no final value of it" if is_core else rule
        yield fault("rank_by", metric, rule, way or "give eval_loss, loss, or the name of a further metric")
    elif mode is None and (own not in metrics.CORE or metrics.CORE[own].better is None):
        close = "" if metric in _FINAL else suggestion(metric, metrics.FINAL)
        way = f"{close and close + ' If not, '}add rank_mode=max, or min"
        yield fault("rank_by", metric, "it is not known whether lower or higher is better", way)


def objective(row: Row, ranking: Ranking = BY_LOSS) -> float | None:
    """What a completed run is ranked by: its last value of the metric, None where it has none."""
    if row["status"] != "completed":
        return None
    losses = {"loss": row["final_loss"], "eval_loss": row["eval_loss"]}
    if ranking.metric is None:
        value: float | None = losses["loss"] if losses["eval_loss"] is None else losses["eval_loss"]
        return value
    last = (row.get("metrics") or {}).get(metrics.FINAL.get(ranking.metric, ranking.metric))
    return losses.get(ranking.metric, last)


def ranked(rows: Iterable[Row], ranking: Ranking = BY_LOSS) -> list[Row]:
    """The best first; those that are not ranked last."""

    def rank(row: Row) -> tuple[bool, float]:
        value = objective(row, ranking)
        return (True, 0.0) if value is None or value != value else (False, -ranking.sign * value)

    return sorted(rows, key=rank)


def unranked(rows: Iterable[Row], ranking: Ranking, resume: str) -> str | None:
    """The fault of a ranking by what completed runs have not measured, with what they have; None where there is none.

    resume: the command that resumes the sweep, hence ranks it by another metric.
    """
    completed = [row for row in rows if row["status"] == "completed"]
    lacking = [row for row in completed if objective(row, ranking) is None]
    if ranking.metric is None or not lacking:
        return None
    known = list(dict.fromkeys(name for row in lacking for name in _measured(row)))
    way = f"{suggestion(ranking.metric, known) or 'choose from'} ({enumerate_names(known)}), then {resume} rank_by="
    close = nearest(ranking.metric, known)
    way += f"{close} rank_mode={ranking.mode}" if close else "METRIC"
    some = (
        "no completed run has"
        if len(lacking) == len(completed)
        else f"{len(lacking)} of {len(completed)} runs have not"
    )
    return fault("rank_by", ranking.metric, f"{some} measured it", way)


def _measured(row: Row) -> Iterator[str]:
    """The metrics that a run can be ranked by, by the names that `rank_by` takes."""
    return (_CORE.get(name, name) for name in row.get("metrics") or {})
