"""`plot`: metrics of runs as a picture."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from training_hub.command_line import settings as words
from training_hub.errors import enumerate_names
from training_hub.params import Checked, Text, param
from training_hub.results.curves import courses
from training_hub.run import RunDir

WORDS = {"plot": ("DIR ...",)}


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


SETTINGS = {"plot": PlotSettings}


def plot(typed: Sequence[str]) -> int:
    """Draw what is asked for; returns the exit status. Everything wrong is a ConfigError."""
    folders, settings = words.read("plot", typed, PlotSettings, WORDS["plot"])
    found = courses(folders)
    from training_hub.results import plot as pictures

    path = pictures.plot(
        [each for each in found if each.rows],
        settings.output_path or pictures.default_path(folders[0]),
        x=settings.x,
        y=settings.y,
        labels=settings.labels,
        ema_span=settings.ema_span,
    )
    for text in (text for each in found for text in RunDir(each.path).left_out() if RunDir(each.path).exists()):
        print(text, file=sys.stderr)
    if empty := [each.name for each in found if not each.rows]:
        print(f"left out, no metrics yet: {enumerate_names(empty)}", file=sys.stderr)
    print(path)
    return 0
