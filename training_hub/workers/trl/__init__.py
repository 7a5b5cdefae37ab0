"""TRL's trainers in a worker process. Importing this package imports neither torch nor TRL."""

from __future__ import annotations

import importlib
import os
from typing import Any

from training_hub.errors import ConfigError, enumerate_names, fault
from training_hub.run import RunDir

# What a recipe builds -> the module that trains with it.
MODULES = {
    "trl.SFTConfig": "training_hub.workers.exact_steps.sft",
    "trl.DPOConfig": "training_hub.workers.exact_steps.dpo",
}


def train(run: RunDir, config: dict[str, Any], module: str = "") -> dict[str, Any]:
    """Train in this process, or as one of several under torchrun, and save.

    module: what trains, by default the one for what the recipe builds.

    Returns checkpoint_path (str or None), metrics (final numbers) and status ("completed" or "interrupted").
    ConfigError where model, tokenizer or rows do not fit; RunFailed where the loss is no number any more.
    """
    target = config["recipe"]["_target_"]
    if target not in MODULES:
        raise ConfigError(fault("recipe._target_", target, f"must be one of {enumerate_names(MODULES)}"))
    # Before torch is imported. Threads that spin while they wait for each other cost 2.5 times the time and 4 times the
    # processor where other processes want the cores too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    result: dict[str, Any] = importlib.import_module(module or MODULES[target]).train(run, config)
    return result
