"""The settings of `plot`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from training_hub.params import Checked, Text, param


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class PlotSettings(Checked):
    """The settings of `plot`."""

    x: Literal["step", "epoch", "tokens", "samples", "time"] = param("the x axis", default="step")
    y: Annotated[list[Text], Field(min_length=1), BeforeValidator(_as_list)] = param(
        "metrics to plot, one panel each: loss, lr, grad_norm, ... or any other that the runs have logged",
        default=["loss"],
    )
    ema_span: int | None = param(
        "also plot the exponential moving average over about this many rows of metrics", default=None, gt=0
    )
    labels: list[Text] | None = param(
        "a name for each run; null: the settings that differ, or its folder", default=None
    )
    output_path: Text | None = param(
        "the image to write, PNG or SVG; null: loss_plot.png in the first DIR", default=None
    )
