"""Metrics beside the core: what the trainer measures, and what callbacks log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from accelerate import Accelerator

from training_hub import metrics
from training_hub.errors import RunFailed

# What transformers and TRL log beside metrics, or what the core has under another name.
_NO_METRICS = re.compile(
    r"epoch|step|loss|eval_loss|learning_rate|grad_norm|num_tokens|num_input_tokens_seen|total_flos"
    r"|train_(loss|runtime|\w+_per_second)|eval_(runtime|\w+_per_second)|\w+_mem_\w+"
)
_TAKEN = "a callback has logged what the trainer measures itself; choose another name"


class Further:
    """Further metrics by name.

    last: the newest value of each. sums: of the trainer's means since the previous row, (sum, count) on this rank.
    What a callback logs counts on rank 0 alone.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.last: dict[str, float] = {}
        self.sums: dict[str, torch.Tensor] = {}
        self._of_callbacks: list[str] = []

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint; called on all ranks."""
        sums = {name: each.tolist() for name, each in self._reduced().items()}
        return {"last": self.last, "of_callbacks": self._of_callbacks, "sums": sums}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume from a checkpoint's state; the sums of all ranks become those of rank 0."""
        self.last, self._of_callbacks = dict(state["last"]), list(state["of_callbacks"])
        share = float(self.accelerator.is_main_process)
        self.sums = {name: share * torch.tensor(each, dtype=torch.float64) for name, each in state["sums"].items()}

    def add(self, sums: Mapping[str, torch.Tensor], count: int) -> None:
        """Add to means over `count` things of this rank. Called on all ranks, with equal names."""
        for name, each in sums.items():
            new = torch.stack([each.detach().to("cpu", torch.float64), torch.tensor(float(count), dtype=torch.float64)])
            self.sums[name] = self.sums.get(name, torch.zeros_like(new)) + new

    def means(self) -> dict[str, float]:
        """The means since the last call, over all ranks; called on all of them."""
        reduced = self._reduced()
        self.sums = {name: torch.zeros_like(each) for name, each in self.sums.items()}
        return {name: float(total / count) for name, (total, count) in reduced.items() if count}

    def of_trainer(self, logs: Mapping[str, Any]) -> dict[str, float]:
        """The further metrics in what a trainer logs. RunFailed for a bad name or a value that is not finite."""
        found = {name: _checked(name, value) for name, value in logs.items() if not _NO_METRICS.fullmatch(name)}
        _refuse(found.keys() & set(self._of_callbacks))
        return self._noted(found)

    def of_callbacks(self, values: Mapping[str, float]) -> dict[str, float]:
        """What callbacks have logged. RunFailed for a name that the trainer uses."""
        _refuse(values.keys() & self.last.keys() - set(self._of_callbacks))
        self._of_callbacks = list(dict.fromkeys([*self._of_callbacks, *values]))
        return self._noted(values)

    def _reduced(self) -> dict[str, torch.Tensor]:
        device = self.accelerator.device
        return {name: self.accelerator.reduce(each.to(device), "sum").cpu() for name, each in self.sums.items()}

    def _noted(self, values: Mapping[str, float]) -> dict[str, float]:
        self.last |= values
        if len(self.last) > metrics.MOST_NAMES:
            raise RunFailed(f"a run has at most {metrics.MOST_NAMES} metrics beside the core; log fewer names")
        return dict(values)


def _refuse(taken: set[str]) -> None:
    for name in sorted(taken):
        raise RunFailed(f"{name}: {_TAKEN}")


def _checked(name: str, value: Any) -> float:
    try:
        return metrics.checked(name, value)
    except ValueError as error:
        raise RunFailed(str(error)) from None
