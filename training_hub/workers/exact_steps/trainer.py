"""TRL's SFTTrainer with exact steps: see `StepTrainer`."""

from __future__ import annotations

from typing import Any

import torch
from trl import SFTTrainer

from training_hub.workers.exact_steps.tokens import TokenSteps


class StepTrainer(TokenSteps, SFTTrainer):
    """Exact steps for TRL's SFTTrainer, and only the logits that carry loss."""

    def micro_loss(self, model: torch.nn.Module, micro_batch: dict[str, Any]) -> torch.Tensor:
        """Sum of the token losses of a micro-batch."""
        inputs = self._prepare_inputs(micro_batch["inputs"] | {key: micro_batch[key] for key in ("keep", "targets")})
        if self.packed_attention:
            inputs["lengths"] = micro_batch["lengths"]
        with self.accelerator.autocast():
            loss: torch.Tensor = model(**inputs)
        return loss

    @property
    def packed_attention(self) -> bool:
        """Whether the model attends to each row of a pack by itself and has to be told their lengths."""
        return bool(self.model.config._attn_implementation == "sdpa_packed")
