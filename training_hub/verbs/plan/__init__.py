"""`plan`: what train would do."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent

from training_hub.command_line.verb import Call, Verb


def run(call: Call) -> int:
    """Print the plan: of a run, or of every run of a sweep."""
    if call.sweep:
        return _plan_sweep(call.overrides, call.config_dirs)
    from training_hub.verbs.plan.text import plan_text

    print(plan_text(call.overrides, call.config_dirs))
    return 0


def _plan_sweep(overrides: Sequence[str], config_dirs: Sequence[str]) -> int:
    from training_hub.sweeps.front import planned_sweep
    from training_hub.verbs.plan.text import text_of

    sweep, plans = planned_sweep(overrides, config_dirs), []
    for number, (job, planned) in enumerate(sweep.plans(), start=1):
        plans.append(planned)
        print(f"# run {number} of {len(sweep.jobs)}: {job.label}\n{text_of(planned)}\n")
    print(f"# sweep\n\nfolder\n  {sweep.directory.path}")
    if plugins := sweep.plugins():
        print(f"\n{plugins.rstrip()}")
    elif script := sweep.script(plans):
        print(f"\nscript\n{indent(script, '  ').rstrip()}")
    return 0


VERB = Verb(
    "show everything that train would do; run and write nothing",
    run,
    section="before a run",
    overrides=True,
    sweeps=True,
)
