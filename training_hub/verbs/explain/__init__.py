"""`explain`: what each parameter becomes."""

from __future__ import annotations

from training_hub.command_line.verb import Call, Verb


def run(call: Call) -> int:
    """Print the translation: of a run, or of each run of a sweep."""
    from training_hub.verbs.explain.translation import explain

    if not call.sweep:
        print(explain(call.overrides, call.config_dirs))
        return 0
    from training_hub.sweeps.expand import read

    asked = read(call.overrides, call.config_dirs)
    for number, job in enumerate(asked.samples() if asked.chooses_values else asked.jobs()):
        print(f"{'' if number == 0 else chr(10)}# run {number + 1}: {' '.join(job)}")
        print(explain(job, call.config_dirs, sweep=None))
    return 0


VERB = Verb(
    "show what each parameter becomes in the backend, and where its value came from",
    run,
    section="before a run",
    overrides=True,
    sweeps=True,
)
