"""What an update did to the model. The loss of a step is measured before the step is taken; here it is after it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import torch
from accelerate.utils import gather_object

from training_hub.errors import RunFailed, fault, ruined
from training_hub.workers import finite
from training_hub.workers.rise import much_higher

_MUCH = 1.0  # nats


class Seen(NamedTuple):
    """Sums over a micro-batch, as tensors without dimensions.

    loss, units: of the trainer's own loss. nats, tokens: the cross-entropy of what the model is to say. nats_at_first:
    the same of these tokens where training began.
    """

    loss: torch.Tensor
    units: torch.Tensor
    nats: torch.Tensor
    tokens: torch.Tensor
    nats_at_first: torch.Tensor


class Trainer(Protocol):
    """What is asked of the trainer; see `Steps`."""

    state: Any
    accelerator: Any
    model: Any
    args: Any
    trained_last: tuple[dict[str, Any], torch.Tensor] | None

    def look_again(self, micro_batch: dict[str, Any]) -> Seen:
        """What the model as it is now makes of a micro-batch that it was trained on."""


def check(trainer: Trainer) -> list[str]:
    """Look once more at the last micro-batch that was trained; called on all ranks. Returns warnings.

    RunFailed where the update has ruined the model: a weight or the loss is not finite, or the loss is no better than
    a guess among all tokens, and worse than where training began.
    """
    step = trainer.state.global_step
    _must_stay_finite(trainer, step)
    if trainer.trained_last is None:  # nothing was trained since the last checkpoint
        return []
    micro_batch, before = trainer.trained_last
    trainer.model.eval()
    with torch.no_grad():
        sums = torch.stack([value.float() for value in (before, *trainer.look_again(micro_batch))])
    before_sum, loss, units, nats, tokens, at_first = trainer.accelerator.reduce(sums, "sum").tolist()
    must_not_be_ruined(nats / max(1, tokens), at_first / max(1, tokens), _vocabulary(trainer), step)
    if trainer.args.load_best_model_at_end:  # it may be another model by now
        return []
    return _risen(before_sum / max(1, units), loss / max(1, units))


def _must_stay_finite(trainer: Trainer, step: int) -> None:
    """RunFailed, on all ranks alike, where the model of any rank holds a weight that is not finite."""
    name = finite.of_model(trainer.accelerator.unwrap_model(trainer.model))
    found: list[str | None] = gather_object([name])
    if first := next(filter(None, found), None):
        ranks = [str(rank) for rank, each in enumerate(found) if each]
        where = "" if len(ranks) == len(found) else f" (rank {', '.join(ranks)})"
        raise RunFailed(ruined(f"{first}{where}", step))


def must_not_be_ruined(nats: float, at_first: float, vocabulary: int, step: int) -> None:
    """RunFailed where the loss says so. A model whose activations overflow guesses: its logits are all zero."""
    if not math.isfinite(nats):
        rule = f"not a number after step {step}, so the model is not saved"
        raise RunFailed(fault("loss", nats, rule, "lower lr or weight_decay"))
    guess = math.log(vocabulary)
    if nats > max(0.99 * guess, at_first + _MUCH):
        rule = (
            f"no better after step {step} than a guess among {vocabulary:,} tokens ({guess:.3g}), and training began "
            f"at {at_first:.3g}, so the model is not saved"
        )
        raise RunFailed(fault("loss", f"{nats:.3g}", rule, "lower lr or weight_decay"))


def _risen(before: float, after: float) -> list[str]:
    if not much_higher(before, after):
        return []
    return [f"the last update raised the loss of the rows it was made of from {before:.4g} to {after:.4g}; lower lr"]


def _vocabulary(trainer: Trainer) -> int:
    return int(trainer.model.config.get_text_config().vocab_size)
