"""Direct preference optimisation with TRL's DPOTrainer, in exact steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from training_hub.errors import enumerate_names, fault
from training_hub.trainers.base import Trainer
from training_hub.trainers.reserved import EXACT_STEPS


class DPO(Trainer):
    """The loss of a step is the mean over its pairs, as TRL computes it; which loss is the user's choice."""

    recipe: ClassVar[str] = "trl.DPOConfig"
    module: ClassVar[str] = "training_hub.workers.exact_steps.dpo"
    reserved: ClassVar[Mapping[str, str]] = {
        **{name: instead for name, instead in EXACT_STEPS.items() if name != "loss_type"},
        "precompute_ref_log_probs": "",
        "precompute_ref_batch_size": "max_tokens_per_gpu",
        "sync_ref_model": "",
        "ref_model_mixup_alpha": "",
        "ref_model_sync_steps": "",
    }
    rows: ClassVar[str] = "pairs"
    unknown_memory: ClassVar[str] = ""

    @classmethod
    def check(cls, config: Mapping[str, Any]) -> Iterator[str]:
        """What contradicts the losses that were chosen, and dropout that has no effect."""
        recipe = config["recipe"]
        losses, weights = recipe["loss_type"], recipe["loss_weights"]
        if config["backend"]["packing"]:
            yield fault("packing", True, "the answers of a pair are compared in a padded batch", "drop it")
        if weights is not None and len(weights) != len(losses):
            yield fault("loss_weights", weights, f"there are {len(losses)} losses", "give one weight for each")
        yield from _smoothing(losses, recipe["label_smoothing"])
        dropout = config["adapter"].get("peft", {}).get("lora_dropout", 0)
        if dropout and recipe.get("disable_dropout", True):
            way = "add recipe.disable_dropout=false, or drop it"
            yield fault("lora_dropout", dropout, "dpo switches dropout off", way)


def _smoothing(losses: list[str], smoothing: float) -> Iterator[str]:
    if smoothing and not {"robust", "exo_pair"} & set(losses):
        rule = f"loss_type={enumerate_names(losses)} does not use it"
        yield fault("label_smoothing", smoothing, rule, "use loss_type=robust, or drop it")
    if not smoothing and "exo_pair" in losses:
        yield fault("loss_type", "exo_pair", "needs label_smoothing", "add label_smoothing=1e-3")
