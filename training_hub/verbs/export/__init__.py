"""`export`: a run's result as a plain model for others."""

from __future__ import annotations

from training_hub.command_line.verb import Call, Verb, Word
from training_hub.verbs.export.settings import ExportSettings


def run(call: Call) -> int:
    """Write the model; returns the exit status of the worker that does so."""
    from training_hub.verbs.export.write import export

    return export(call.words[0], call.settings)


VERB = Verb(
    "write a run's result as a plain model with a model card, adapters merged, and check it",
    run,
    section="models",
    words=(Word("RUN_OR_CHECKPOINT", "the folder of a run or of a checkpoint", completes="run"),),
    settings=ExportSettings,
)
