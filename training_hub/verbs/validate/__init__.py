"""`validate`: prepare the data and show it."""

from __future__ import annotations

from training_hub.command_line.verb import Call, Verb
from training_hub.verbs.validate.settings import ValidateSettings


def run(call: Call) -> int:
    """Prepare and show the data; returns the exit status of the worker that does so."""
    from training_hub.verbs.validate.prepare import validate

    return validate(call.settings, call.overrides, call.config_dirs)


VERB = Verb(
    "prepare the data and show it: counts, lengths, first rows with the trained tokens marked",
    run,
    section="before a run",
    settings=ValidateSettings,
    overrides=True,
)
