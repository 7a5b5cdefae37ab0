"""Supervised fine-tuning of an adapter with unsloth: its model, its loss, and the exact steps of the worker for TRL."""

from __future__ import annotations

from typing import Any

from training_hub.errors import ConfigError, fault
from training_hub.run import RunDir
from training_hub.workers.loop import run_loop
from training_hub.workers.unsloth import trial
from training_hub.workers.unsloth.trainer import UnslothTrainer


def build(run: RunDir, config: dict[str, Any], loaded: run_loop.Loaded) -> UnslothTrainer:
    """The trainer for rows that are prepared and a model that is loaded. ConfigError where its loss is no sum."""
    trainer = UnslothTrainer(
        loaded.model,
        loaded.args,
        run,
        loaded.data.train,
        loaded.data.eval,
        packed=config["backend"]["packing"],
        processing_class=loaded.tokenizer,
        **run_loop.shape(config, loaded),
    )
    if not trial.sums_losses(trainer):
        rule = "unsloth does not sum the losses of such a model"
        raise ConfigError(fault("model_path", config["model"]["path"], rule, "use backend=trl"))
    trainer.packed = trainer.packed and trial.keeps_rows_apart(trainer)
    loaded.resolved["packing"] = trainer.packed
    return trainer
