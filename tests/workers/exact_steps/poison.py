"""Callbacks of transformers that ruin numbers on one rank or on all."""

from __future__ import annotations

import os
from typing import Any

import torch
from transformers import TrainerCallback


def _is_here(rank: int | None) -> bool:
    return rank in (None, int(os.environ.get("RANK", "0")))


class Weight(TrainerCallback):
    """Puts a value into a weight when a step is over."""

    def __init__(self, step: int, value: str = "nan", rank: int | None = None) -> None:
        self.step, self.value, self.rank = step, float(value), rank

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if state.global_step == self.step and _is_here(self.rank):
            with torch.no_grad():
                next(each for each in model.parameters() if each.requires_grad).view(-1)[0] = self.value


class Gradient(TrainerCallback):
    """Makes the gradients of one micro-batch NaN, before they are exchanged."""

    def __init__(self, step: int, rank: int | None = None) -> None:
        self.step, self.rank = step, rank

    def on_step_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if state.global_step == self.step - 1 and _is_here(self.rank):
            weight = next(each for each in model.parameters() if each.requires_grad)
            weight.register_hook(lambda gradient: gradient * float("nan"))
