"""TRL's trainers in a worker process. Importing this package imports neither torch nor TRL."""

from __future__ import annotations

import importlib
import os
from typing import Any

from training_hub.errors import ConfigError, fault
from training_hub.installed.locate import TRAINER, find_class
from training_hub.run import RunDir
from training_hub.trainers.base import Trainer


def train(run: RunDir, config: dict[str, Any]) -> dict[str, Any]:
    """Train in this process, or as one of several under torchrun, and save.

    Returns checkpoint_path (str or None), metrics (final numbers) and status ("completed" or "interrupted").
    ConfigError where model, tokenizer or rows do not fit; RunFailed where the loss is no number any more.
    """
    declared = trainer_of(config)
    # Before torch is imported. Threads that spin while they wait for each other cost 2.5 times the time and 4 times the
    # processor where other processes want the cores too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    run_loop: Any = importlib.import_module("training_hub.workers.loop.run_loop")
    result: dict[str, Any] = run_loop.train(run, config, declared)
    return result


def trainer_of(config: dict[str, Any]) -> type[Trainer]:
    """The trainer that a config names. ConfigError where the recipe is another one's."""
    declared: type[Trainer] = find_class(config["backend"]["trainer"], TRAINER, key="backend.trainer")
    target = config["recipe"]["_target_"]
    if target != declared.recipe:
        raise ConfigError(fault("recipe._target_", target, f"the trainer {declared.__name__} takes {declared.recipe}"))
    return declared
