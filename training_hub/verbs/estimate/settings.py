"""What is asked of `estimate` beside the run's own settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from training_hub import catalogue, train
from training_hub.command_line import settings as words
from training_hub.config.check import check_and_resolve, faulty_keys, missing_parameters
from training_hub.config.composition import Composition
from training_hub.config.preflight import how_to_install, inputs
from training_hub.errors import ConfigError, enumerate_names, fault
from training_hub.installed.interpreter import missing_requirements
from training_hub.params import Checked, param

_NEEDS = ("torch>=2.8", "transformers>=5", "trl>=1.16", "peft", "accelerate", "datasets")
_NO_ROWS = ("data_path=:", "data.path=:")


class EstimateSettings(Checked):
    """The settings of `estimate`."""

    gpu_memory_gib: Annotated[float, Field(gt=0)] | None = param(
        "memory of each GPU; null: this machine's GPUs, or its CPU memory", unit="GiB", default=None
    )
    time: bool = param("train a few steps and estimate the duration of the run", default=False)
    steps: int = param("number of steps to train for time=true", unit="steps", default=6, ge=2)


def read(overrides: Sequence[str]) -> tuple[EstimateSettings, list[str]]:
    """The verb's own settings, and the run's. ConfigError for faulty ones."""
    own = [text for text in overrides if text.partition("=")[0] in EstimateSettings.model_fields]
    _, settings = words.read("estimate", own, EstimateSettings, ())
    if not settings.time and "steps" in settings.model_fields_set:
        raise ConfigError(fault("steps", settings.steps, "has no effect without time=true", "add it, or drop this"))
    return settings, [text for text in overrides if text not in own]


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
