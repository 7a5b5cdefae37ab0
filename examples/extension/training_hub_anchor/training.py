# training_hub_anchor/training.py
"""sft with the pull of the anchor added to the gradients of every step."""

from typing import Any

import torch

from training_hub.run import RunDir
from training_hub.workers.exact_steps import sft
from training_hub.workers.exact_steps.trainer import StepTrainer
from training_hub.workers.loop.run_loop import Loaded

without_numbers = sft.without_numbers


class Anchor:
    """Adds the gradient of `strength / 2 * |weights - weights at the beginning|²`."""

    def __init__(self, model: torch.nn.Module, strength: float) -> None:
        self.strength = strength
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.beginning = [weight.detach().clone() for weight in self.weights]

    @torch.no_grad()
    def __call__(self) -> None:
        """Called after the last part of a step, before the gradients are clipped."""
        for weight, beginning in zip(self.weights, self.beginning, strict=True):
            weight.grad.add_(weight - beginning, alpha=self.strength)


def build(run: RunDir, config: dict[str, Any], loaded: Loaded) -> StepTrainer:
    """The trainer of sft, built before a resumed run loads its checkpoint, so the initial weights stay the same."""
    trainer = sft.build(run, config, loaded)
    trainer.complete_gradients = Anchor(loaded.model, config["algorithm"]["anchor"])
    return trainer
