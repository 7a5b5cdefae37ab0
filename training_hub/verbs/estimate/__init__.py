"""`estimate`: what a run costs, before it starts."""

from __future__ import annotations

from training_hub.command_line.verb import Call, Verb
from training_hub.verbs.estimate.settings import EstimateSettings


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
