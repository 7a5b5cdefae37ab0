"""`plot`: metrics of runs as a picture."""

from __future__ import annotations

from training_hub.command_line.verb import Call, Verb, Word
from training_hub.verbs.plot.settings import PlotSettings


def run(call: Call) -> int:
    """Draw the picture and print its path."""
    from training_hub.verbs.plot.draw import plot

    return plot(call.words, call.settings)


VERB = Verb(
    "draw metrics of a run, of several, or of a sweep",
    run,
    section="during and after a run",
    words=(Word("DIR", "folders of runs or sweeps", several=True, completes="run"),),
    settings=PlotSettings,
)
