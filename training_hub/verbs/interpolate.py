"""`interpolate`: a mixture of two checkpoints of one model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from training_hub.command_line.verb import Call, Verb, Word
from training_hub.params import param
from training_hub.verbs.export.settings import Written


class InterpolateSettings(Written):
    """The settings of `interpolate`."""

    weight: Annotated[float, Field(ge=0, le=1)] = param(
        "weight of the second model; the first gets the rest", default=0.5
    )


def run(call: Call) -> int:
    """Write the mixture; returns the exit status of the worker that does so."""
    from training_hub.verbs.export.write import interpolate

    return interpolate(call.words, call.settings, call.settings.weight)


VERB = Verb(
    "write a mixture of two checkpoints of one model",
    run,
    section="models",
    words=(
        Word("FIRST", "two folders of runs or checkpoints", completes="run"),
        Word("SECOND", "a second folder of a run or a checkpoint", completes="run"),
    ),
    settings=InterpolateSettings,
)
