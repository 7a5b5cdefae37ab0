"""Supervised fine-tuning with TRL's SFTTrainer: of all weights, or of an adapter."""

from __future__ import annotations

from typing import Any

from training_hub.run import RunDir
from training_hub.workers.exact_steps import attention, loss
from training_hub.workers.exact_steps.trainer import StepTrainer
from training_hub.workers.loop import run_loop


def build(run: RunDir, config: dict[str, Any], loaded: run_loop.Loaded) -> StepTrainer:
    """The trainer for rows that are prepared and a model that is loaded."""
    loaded.args.dataset_kwargs = {"skip_prepare_dataset": True}
    if config["backend"]["packing"]:
        attention.use_packed_attention(loaded.plain)
    trainer = StepTrainer(
        loaded.model,
        loaded.args,
        run,
        loaded.data.train,
        loaded.data.eval,
        packed=config["backend"]["packing"],
        processing_class=loaded.tokenizer,
        **run_loop.shape(config, loaded),
    )
    loaded.resolved["loss"] = loss.add_token_loss(loaded.plain)
    if trainer.aux_loss_enabled:
        loaded.resolved["router_aux_loss"] = "left out"
    return trainer


def without_numbers() -> list[tuple[Any, str, Any]]:
    """What has to be replaced when a step runs on shapes alone: nothing of this trainer's own."""
    return []
