"""What has to be true of a model before unsloth trains it, tried on a few tokens.

unsloth has a path of its own for many an architecture. Where one does otherwise nothing fails, but the loss is wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from training_hub.workers.exact_steps.batches import IGNORED, packed_batch
from training_hub.workers.unsloth.trainer import UnslothTrainer


@torch.no_grad()
def sums_losses(trainer: UnslothTrainer) -> bool:
    """Whether the loss is divided by the number of items that it is told, so that it can be the sum."""
    micro_batch = packed_batch([_row(1, trained=True)])
    one, two = (trainer.loss_by(trainer.model, micro_batch, items) for items in (1, 2))
    return bool(torch.isclose(one, 2 * two, rtol=1e-2))


@torch.no_grad()
def keeps_rows_apart(trainer: UnslothTrainer) -> bool:
    """Whether the loss of a row in a pack is the same whatever the row before it says."""
    second = _row(1, trained=True)
    one, two = (
        trainer.micro_loss(trainer.model, packed_batch([_row(start, trained=False), second])) for start in (20, 40)
    )
    return bool(torch.isclose(one, two, rtol=1e-4))


def _row(start: int, trained: bool) -> tuple[Any, Any]:
    ids = np.arange(start, start + 8, dtype=np.int32)
    return ids, ids if trained else np.full_like(ids, IGNORED)
