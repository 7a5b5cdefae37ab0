# training_hub_anchor/course.py
"""The course of sft, with the pull of the anchor added to the gradients of every step."""

from typing import Any

import torch
from trl import SFTConfig

from training_hub.run import RunDir
from training_hub.workers.trl import course, sft
from training_hub.workers.trl.owned import OWNED
from training_hub.workers.trl.trainer import StepTrainer


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


def train(run: RunDir, config: dict[str, Any]) -> dict[str, Any]:
    """Train and save."""
    return course.train(run, config, SFTConfig, OWNED, build)


def build(run: RunDir, config: dict[str, Any], loaded: course.Loaded) -> StepTrainer:
    """The trainer of sft; a run that goes on builds it before it loads its checkpoint: the beginning stays the same."""
    trainer = sft.build(run, config, loaded)
    trainer.complete_gradients = Anchor(loaded.model, config["algorithm"]["anchor"])
    return trainer
