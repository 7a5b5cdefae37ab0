"""What a trainer has to be so that the run loop can surround it: see `RunTrainer`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback

from training_hub.run import RunDir
from training_hub.trainers.base import LANGUAGE_MODEL, ModelKind
from training_hub.workers import finite
from training_hub.workers.loop.checkpointing import Checkpointing
from training_hub.workers.loop.progress import Progress


class RunTrainer(Checkpointing):
    """A trainer of one run; stands before a trainer of TRL's.

    It saves sealed checkpoints, writes metrics, refuses gradients and weights that are not finite, and never publishes
    a model card. kind: of its model. complete_gradients: called after the last backward pass of a step.
    """

    kind: ModelKind = LANGUAGE_MODEL
    model: PreTrainedModel
    processing_class: PreTrainedTokenizerBase
    maybe_activation_offload_context: Any  # of TRL's trainers
    complete_gradients: Callable[[], None] = staticmethod(lambda: None)

    def belong_to(self, run: RunDir) -> None:
        """Connect the trainer, which is made, with its run."""
        self.run = run
        self.remove_callback(PrinterCallback)
        self.progress = Progress(run, self.accelerator)
        self.add_callback(self.progress)

    @property
    def evaluates(self) -> bool:
        """Whether there are held-out rows."""
        return self.eval_dataset is not None

    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        if self.args.max_steps > 0:
            return int(self.args.max_steps)
        batches = len(self.get_train_dataloader())
        return math.ceil(self.args.num_train_epochs * math.ceil(batches / self.args.gradient_accumulation_steps))

    def verify(self) -> list[str]:
        """Look at the model before it is saved; called on all ranks. Returns warnings; RunFailed for a ruined model."""
        finite.must_stay(self.accelerator.unwrap_model(self.model), self.state.global_step)
        return []

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """Save no model that the last update has ruined: RunFailed."""
        self.verify()
        super()._save_checkpoint(model, trial)

    def _get_grad_norm(self, model: torch.nn.Module, grad_norm: torch.Tensor | float | None = None) -> Any:
        """The norm of the gradients of all ranks, before the step is taken. RunFailed where it is not finite.

        In float16 the scaler leaves such a step out, and is at its end where it has no scale left to go down to.
        """
        norm, scaler = super()._get_grad_norm(model, grad_norm), self.accelerator.scaler  # type: ignore[no-untyped-call]
        if not math.isfinite(norm) and (scaler is None or scaler.get_scale() < 1):
            self.progress.fail(self.state.global_step + 1, float(norm))
        return norm

    def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
        """No README beside a checkpoint: TRL's knows neither the model that a run began with nor its data."""
