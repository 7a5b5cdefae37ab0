"""`cancel`: ask runs to save and stop, or end them at once."""

from __future__ import annotations

from training_hub.command_line.verb import Call, Flag, Verb, Word


def run(call: Call) -> int:
    """Print what was done about each run."""
    from training_hub.verbs.cancel.stop import cancel

    print("\n".join(cancel(call.words, now="--now" in call.flags)))
    return 0


VERB = Verb(
    "ask a run or a sweep to save and stop; --now: end it at once",
    run,
    section="during and after a run",
    words=(Word("DIR", "the folder of a run or a sweep", several=True, completes="run"),),
    flags=(Flag(("--now",), "end it at once, without a checkpoint"),),
)
