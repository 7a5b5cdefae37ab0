"""The config of the run that `estimate` is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training_hub import catalogue, train
from training_hub.config.check import check_and_resolve, faulty_keys, missing_parameters
from training_hub.config.composition import Composition
from training_hub.config.preflight import how_to_install, inputs
from training_hub.errors import ConfigError, enumerate_names, fault
from training_hub.installed.interpreter import missing_requirements

_NEEDS = ("torch>=2.8", "transformers>=5", "trl>=1.16", "peft", "accelerate", "datasets")
_NO_ROWS = ("data_path=:", "data.path=:")


def configured(overrides: Sequence[str], folders: Sequence[str] = ()) -> tuple[Composition, dict[str, Any]]:
    """The config of a run, with an empty data.path where there are no rows yet. ConfigError with every fault."""
    composition = train.composed(overrides, folders)
    catalogue.refuse_python_made(composition)
    without_rows = "data_path" in missing_parameters(composition)
    if without_rows:
        composition.cfg.data_path = ""
    faults, config = check_and_resolve(composition)
    faults += inputs(config, faulty_keys(composition, faults))
    if without_rows:
        faults = [text for text in faults if not text.startswith(_NO_ROWS)]
    if "backend" in config and (missing := missing_requirements(_NEEDS, config["backend"]["python"])):
        backend, python = composition.choices["backend"], config["backend"]["python"]
        rule = f"not installed: {enumerate_names(missing)}"
        faults.append(fault("backend", backend, rule, how_to_install(missing, python, backend)))
    if faults:
        raise ConfigError(*(composition.as_typed(text) for text in faults))
    return composition, config
