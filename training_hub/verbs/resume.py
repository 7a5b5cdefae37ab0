"""`resume DIR`: resume the run or the sweep in a folder."""

from __future__ import annotations

from training_hub.command_line.verb import Call, Verb, Word
from training_hub.verbs.train import sweep, train


def run(call: Call) -> int:
    """Train from where the run or the sweep in the folder stopped; returns the exit status."""
    from training_hub.resume import refuse_set_here, settings_of
    from training_hub.sweep_dir import SweepDir
    from training_hub.sweeps.again import command_of

    [folder] = call.words
    refuse_set_here(call.overrides)
    if SweepDir(folder).exists():
        return sweep(*command_of(folder, call.overrides, call.config_dirs))
    return train(*settings_of(folder, call.overrides, call.config_dirs), sweep=None)


VERB = Verb(
    "resume the run or the sweep in a folder, with its settings; those that are given replace them",
    run,
    section="train",
    words=(Word("DIR", "the folder of a run or a sweep", completes="run"),),
    overrides=True,
    trains=True,
)
