"""`status`: the state of runs."""

from __future__ import annotations

from training_hub.command_line.verb import Call, Verb, Word


def run(call: Call) -> int:
    """Print a line for each run, or a few about a single one."""
    from training_hub.verbs.status.states import status

    print(status(call.words))
    return 0


VERB = Verb(
    "show the state of a run, of the runs below a folder, or of those in outputs/",
    run,
    section="during and after a run",
    words=(Word("DIR", "folders of runs or sweeps; none: outputs/", optional=True, several=True, completes="run"),),
)
