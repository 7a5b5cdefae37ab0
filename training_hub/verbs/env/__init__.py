"""`env`: environments for backends."""

from __future__ import annotations

from training_hub.command_line.verb import Call, Verb, Word
from training_hub.verbs.env.settings import EnvSettings


def run(call: Call) -> int:
    """Create, list or remove an environment."""
    from training_hub.verbs.env.actions import env

    print(env(call.words, call.settings))
    return 0


VERB = Verb(
    "create, list and remove environments for backends",
    run,
    section="this machine",
    words=(
        Word("ACTION", "create, list or remove", optional=True, completes="create list remove"),
        Word("BACKEND", "the backend; not for list", optional=True, completes="group:backend"),
    ),
    settings=EnvSettings,
)
