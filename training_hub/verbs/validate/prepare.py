"""`validate`: what the data becomes. A worker of the backend's prepares it, because that needs the tokenizer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from training_hub import catalogue, train
from training_hub.ask import ask
from training_hub.config.check import check_and_resolve, faulty_keys, missing_parameters
from training_hub.config.hanging import is_sound
from training_hub.config.origin import references
from training_hub.config.preflight import inputs
from training_hub.errors import ConfigError, enumerate_names, fault
from training_hub.installed.interpreter import install_command, missing_requirements
from training_hub.verbs.validate.settings import ValidateSettings

_PICTURES = (".png", ".svg", ".pdf")
_NEEDS = ("transformers", "numpy", "rich")  # where the backend's worker runs


def validate(asked: ValidateSettings, overrides: Sequence[str], folders: Sequence[str] = ()) -> int:
    """Prepare and show the data; returns the worker's exit status. Everything wrong is a ConfigError."""
    composition = train.composed(overrides, folders)
    catalogue.refuse_python_made(composition)
    # A run may need more than its data does (`unfreeze_rank_ratio=...`); here only the two files must be there.
    faults, config = check_and_resolve(composition, allow_missing=True)
    absent = [name for name in missing_parameters(composition) if name in _needed(composition.cfg)]
    faults += [f"{name}: required parameter is missing; add {name}=..." for name in absent]
    faults += inputs(config, faulty_keys(composition, faults))
    faults += _picture(asked.plot) if asked.plot is not None else []
    if is_sound("backend.python", faulty_keys(composition, faults)) and "backend" in config:
        faults += _libraries(config["backend"]["python"], composition.choices["backend"])
    if faults:
        raise ConfigError(*(composition.as_typed(text) for text in faults))
    request = {"model": config["model"], "data": config["data"], "rows": asked.rows, "plot": asked.plot}
    return ask("training_hub.workers.validate", request, config["backend"]["python"])


def _needed(cfg: DictConfig) -> set[str]:
    """The parameters that the model and the data are made from."""
    return references(cfg.get("model")) | references(cfg.get("data"))


def _picture(path: str) -> list[str]:
    """Whether a picture can be written there."""
    if Path(path).suffix not in _PICTURES:
        return [fault("plot", path, f"must end in {enumerate_names(_PICTURES)}")]
    folder = Path(path).absolute().parent
    return [] if os.access(folder, os.W_OK) else [fault("plot", path, f"cannot write to {folder}", "choose another")]


def _libraries(python: str | None, backend: str) -> list[str]:
    """Whether the interpreter of the backend can prepare and show rows."""
    missing = missing_requirements(_NEEDS, python)
    rule = f"not installed: {enumerate_names(missing)}"
    return [fault("backend", backend, rule, install_command(missing, python))] if missing else []
