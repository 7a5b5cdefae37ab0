"""`estimate`: what a run costs, before it starts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from training_hub.command_line.verb import Call, Verb
from training_hub.params import Checked, param


class EstimateSettings(Checked):
    """The settings of `estimate`."""

    gpu_memory_gib: Annotated[float, Field(gt=0)] | None = param(
        "memory of each GPU; null: this machine's GPUs, or its CPU memory", unit="GiB", default=None
    )
    time: bool = param("train a few steps and estimate the duration of the run", default=False)
    steps: int = param("number of steps to train for time=true", unit="steps", default=6, ge=2)


def run(call: Call) -> int:
    """Print the memory of a run, or with time=true its duration; 1 where the memory is too small."""
    from training_hub.verbs.estimate.answer import estimate

    return estimate(call.settings, call.overrides, call.config_dirs)


VERB = Verb(
    "estimate the memory of a run without loading the model; time=true: also how long it takes",
    run,
    section="before a run",
    settings=EstimateSettings,
    overrides=True,
)
