"""Exact steps on a model of unsloth's: see `UnslothTrainer`."""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from training_hub.workers.exact_steps.batches import IGNORED
from training_hub.workers.exact_steps.tokens import TokenSteps


class UnslothTrainer(TokenSteps):
    """Steps whose loss unsloth computes itself, inside the model's forward, where its fused kernel saves the logits."""

    maybe_activation_offload_context = contextlib.nullcontext()

    def micro_loss(self, model: torch.nn.Module, micro_batch: dict[str, Any]) -> torch.Tensor:
        """Sum of the token losses of a micro-batch: their mean over one item."""
        with self.accelerator.autocast():
            return self.loss_by(model, micro_batch, 1)

    def loss_by(self, model: torch.nn.Module, micro_batch: dict[str, Any], items: int) -> torch.Tensor:
        """The sum by a number of items."""
        inputs = self._prepare_inputs(with_labels(micro_batch))
        loss: torch.Tensor = model(**inputs, num_items_in_batch=items, use_cache=False).loss
        return loss

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train; what was generated before has left the model in another mode."""
        self.model.for_training()  # type: ignore[operator]
        return super().train(*args, **kwargs)


def with_labels(micro_batch: dict[str, Any]) -> dict[str, Any]:
    """A micro-batch as Hugging Face models take it: labels beside their own tokens; of a pack, the lengths of its rows.

    packed_seq_lengths: shape (rows,), int32.
    """
    inputs = dict(micro_batch["inputs"])
    inputs["labels"] = torch.full_like(inputs["input_ids"], IGNORED)
    inputs["labels"].view(-1)[micro_batch["keep"] + 1] = micro_batch["targets"]
    if micro_batch["lengths"]:
        inputs["packed_seq_lengths"] = torch.tensor(micro_batch["lengths"], dtype=torch.int32)
    return inputs
