"""The settings of `estimate`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from training_hub.params import Checked, param


class EstimateSettings(Checked):
    """The settings of `estimate`."""

    gpu_memory_gib: Annotated[float, Field(gt=0)] | None = param(
        "memory of each GPU; null: this machine's GPUs, or its CPU memory", unit="GiB", default=None
    )
    time: bool = param("train a few steps and estimate the duration of the run", default=False)
    steps: int = param("number of steps to train for time=true", unit="steps", default=6, ge=2)
