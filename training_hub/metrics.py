"""The metrics of a run: the core that every run has, and the rules for any further name.

A trainer or a callback may measure more than the core; such a metric is known by its name alone. Standard library only:
the client and workers in other environments import this.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from training_hub.errors import fault

Better = Literal["lower", "higher"]


class Metric(NamedTuple):
    """label: its name on an axis, with the unit where it is not obvious. better: which values are, None: neither."""

    label: str
    unit: str
    meaning: str
    better: Better | None = None


CORE = {
    "step": Metric("optimizer step", "steps", "optimizer steps done"),
    "epoch": Metric("epoch", "epochs", "epochs done, fractional"),
    "loss": Metric("loss (nats)", "nats", "mean over the trained tokens of the steps since the previous row", "lower"),
    "eval_loss": Metric("held-out loss (nats)", "nats", "mean over the trained tokens of the held-out rows", "lower"),
    "lr": Metric("learning rate", "", "learning rate"),
    "grad_norm": Metric("gradient norm", "", "norm of the gradient, before clipping"),
    "tokens": Metric("tokens processed", "tokens", "tokens processed so far on all ranks, padding not counted"),
    "trained_tokens": Metric("trained tokens", "tokens", "of these, the ones that carry loss"),
    "samples": Metric("rows processed", "rows", "rows processed so far on all ranks"),
    "tokens_per_second": Metric("tokens per second", "tokens/s", "throughput since the previous row", "higher"),
    "seconds": Metric("seconds of training", "s", "time since training began"),
}
# What result.json calls the final numbers of every run; further metrics stand there under their own names.
FINAL = {
    "loss": "final_loss",
    "eval_loss": "eval_loss_after",
    "step": "steps",
    "tokens": "tokens",
    "tokens_per_second": "tokens_per_second",
}
_RESERVED = {*CORE, *FINAL.values(), "first_loss", "eval_loss_before", "peak_memory_gb", "learning_rate"}
NAME = re.compile(r"(?!.{101})[A-Za-z][\w.-]*(?:/\w[\w.-]*)*", re.ASCII)
MOST_NAMES = 200  # of further metrics in one run
_RULE = "must begin with a letter and have at most 100 letters, digits, _, ., - or /"


def checked(name: str, value: Any) -> float:
    """The value of a further metric as a float. ValueError where its name or its value cannot be one."""
    if rule := name_rule(name):
        raise ValueError(fault(str(name), value, rule, "choose another name"))
    try:
        number = math.nan if isinstance(value, str | bytes | bool) else float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # RuntimeError: a tensor of several numbers
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(fault(name, value, "must be a finite number"))
    return number


def name_rule(name: object) -> str | None:
    """The rule that a name of a further metric breaks; None for a good name."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return _RULE
    return "is the name of a metric that every run has" if name.casefold() in _RESERVED else None


def sign(name: str, mode: str | None) -> int:
    """1 where higher values of a metric are better, -1 where lower ones are. ValueError where that is not known.

    mode: "min", "max", or None for what is known of the metric.
    """
    known = CORE[name].better if name in CORE else None
    if mode not in ("min", "max", None) or (mode is None and known is None):
        raise ValueError(fault("mode", mode, f"says whether lower or higher {name} is better", "give min or max"))
    return 1 if (mode or known) in ("max", "higher") else -1


def further(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of the further metrics in rows, in the order in which they appeared."""
    return list(dict.fromkeys(name for row in rows for name in _further(row)))


def latest(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The last value of each further metric."""
    return {name: row[name] for row in rows for name in _further(row)}


def names(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of all metrics that have a value in some row: those of the core, then the further ones."""
    known = list(rows)
    return [*(key for key in CORE if any(row.get(key) is not None for row in known)), *further(known)]


def label(name: str) -> str:
    """What an axis that shows a metric is called."""
    return CORE[name].label if name in CORE else name


def held_out(name: str) -> str:
    """The name of the same metric on held-out rows."""
    return f"eval_{name}"


def _further(row: Mapping[str, Any]) -> Iterator[str]:
    return (name for name, value in row.items() if name not in CORE and value is not None)
