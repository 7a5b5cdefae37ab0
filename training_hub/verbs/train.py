"""`train`, the default verb: one run, or with `-m` every run of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from training_hub.command_line.verb import Call, Verb


def run(call: Call) -> int:
    """Train; returns the exit status."""
    return (sweep if call.sweep else train)(call.overrides, call.config_dirs)


def train(overrides: Sequence[str], config_dirs: Sequence[str], sweep: bool | None = False) -> int:
    """One run. sweep: see `compose`."""
    from training_hub import provenance, registered, train

    composition = train.composed(overrides, config_dirs, sweep=sweep)
    if composition.classes.are_registered:
        print(registered.run(composition))
        return 0
    train.run(train.plan(composition), provenance.command_line())
    return 0


def sweep(overrides: Sequence[str], config_dirs: Sequence[str]) -> int:
    """Every run of a sweep; one that Hydra's plugins choose or start is theirs."""
    from training_hub.sweeps.expand import read

    asked = read(overrides, config_dirs)
    if asked.plugin:
        from training_hub.sweeps.plugins import run_plugin_sweep

        return run_plugin_sweep(asked, overrides, config_dirs)
    from training_hub.sweeps.front import run_sweep

    return run_sweep(asked, overrides, config_dirs)


VERB = Verb("train; the default verb", run, section="train", overrides=True, sweeps=True, trains=True)
