"""`doctor`: this machine against what the chosen algorithm and backend need."""

from __future__ import annotations

from training_hub.command_line.verb import Call, Verb


def run(call: Call) -> int:
    """Print the report; 1 where something is missing."""
    from training_hub.verbs.doctor.checkup import doctor

    text, healthy = doctor(call.overrides, call.config_dirs)
    print(text)
    return 0 if healthy else 1


VERB = Verb(
    "check this machine against what the chosen algorithm and backend need",
    run,
    section="this machine",
    overrides=True,
)
