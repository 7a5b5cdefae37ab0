"""Which method of PEFT trains, if any: the node `adapter` of the config."""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Iterator
from typing import Any

from peft import PeftConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from training_hub.errors import ConfigError, enumerate_names, fault

# What the node builds -> the module that puts it into a model and takes it out again.
METHODS = {
    "peft.LoraConfig": "training_hub.workers.adapters.lora",
    "peft.OSFConfig": "training_hub.workers.adapters.subspace",
}


def chosen(config: dict[str, Any]) -> Any:
    """The module of the chosen method, None where all weights are trained. ConfigError for an unknown one."""
    node = config.get("adapter") or {}
    if not node:
        return None
    target = node["peft"]["_target_"]
    if target not in METHODS:
        raise ConfigError(fault("adapter.peft._target_", target, f"must be one of {enumerate_names(METHODS)}"))
    return importlib.import_module(METHODS[target])


def wrapped(model: PreTrainedModel, peft_config: PeftConfig) -> PeftModel:
    """The model with the adapter of a config in it."""
    with quiet():
        adapted: PeftModel = get_peft_model(model, peft_config)
    return adapted


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Leave out what PEFT warns of without need while it puts an adapter into a model."""
    with warnings.catch_warnings():
        # It still asks transformers by an old name; and what it warns of then is an error of ours.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        warnings.filterwarnings("ignore", "The following (rank|alpha)_pattern keys did not match", RuntimeWarning)
        yield


def arguments(config: dict[str, Any]) -> dict[str, Any]:
    """The arguments of PEFT's config class."""
    return {name: value for name, value in config["adapter"]["peft"].items() if name != "_target_"}
