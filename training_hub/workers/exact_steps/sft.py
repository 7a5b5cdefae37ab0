"""Supervised fine-tuning with TRL's SFTTrainer: of all weights, or of an adapter."""

from __future__ import annotations

from typing import Any

from trl import SFTConfig

from training_hub.run import RunDir
from training_hub.workers.exact_steps import loss
from training_hub.workers.exact_steps.owned import OWNED
from training_hub.workers.exact_steps.trainer import StepTrainer
from training_hub.workers.loop import run_loop


def train(run: RunDir, config: dict[str, Any]) -> dict[str, Any]:
    """Train and save; see training_hub.workers.trl.train."""
    return run_loop.train(run, config, SFTConfig, OWNED, build)


def build(run: RunDir, config: dict[str, Any], loaded: run_loop.Loaded) -> StepTrainer:
    """The trainer for rows that are prepared and a model that is loaded."""
    loaded.args.dataset_kwargs = {"skip_prepare_dataset": True}
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
