"""Direct preference optimisation with TRL's DPOTrainer: of all weights, or of an adapter."""

from __future__ import annotations

from typing import Any

import numpy as np
from trl.trainer import dpo_trainer

from training_hub.data.rows import PreferenceRows
from training_hub.errors import ConfigError, fault
from training_hub.run import RunDir
from training_hub.workers.exact_steps.preference import NumberedPairs, PreferenceTrainer
from training_hub.workers.loop import run_loop


def build(run: RunDir, config: dict[str, Any], loaded: run_loop.Loaded) -> PreferenceTrainer:
    """The trainer for pairs that are prepared and a model that is loaded."""
    rows, held_out = loaded.data.train, loaded.data.eval
    if not isinstance(rows, PreferenceRows) or not isinstance(held_out, PreferenceRows | None):
        raise ConfigError(fault("data.format", config["data"]["format"], "dpo learns from pairs of answers"))
    loaded.args.precompute_ref_log_probs = True  # by the trainer's own way, and no second model
    try:
        return PreferenceTrainer(
            loaded.model,
            loaded.args,
            run,
            NumberedPairs(rows),
            None if held_out is None else NumberedPairs(held_out),
            processing_class=loaded.tokenizer,
            **run_loop.shape(config, loaded),
        )
    except (ValueError, NotImplementedError) as error:
        raise ConfigError(fault("recipe", "trl.DPOConfig", str(error).strip().splitlines()[0])) from error


def without_numbers() -> list[tuple[Any, str, Any]]:
    """What has to be replaced when a step runs on shapes alone: the reference's answers, and the hash of the model."""
    return [
        (dpo_trainer, "hash_module", lambda _: ""),
        (PreferenceTrainer, "ask_reference", lambda _trainer, rows, _numbers: np.zeros((len(rows), 2), np.float32)),
    ]
