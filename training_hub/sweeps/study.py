"""Optuna's study behind `hydra/sweeper=optuna`: kept on disk, and gone on with."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from training_hub.config.overrides import override_texts
from training_hub.ranking import Ranking
from training_hub.sweep_dir import SweepDir
from training_hub.sweeps.direction import DIRECTION, DIRECTIONS

_FAILURES = "hydra.sweeper.max_failure_rate"


def study_settings(directory: SweepDir, sweeper: Any, given: Set[str], ranking: Ranking, again: bool) -> list[str]:
    """Overrides of the sweeper's that the user did not set.

    A study lies in the sweep's folder, in a real storage, where no other was named. A run that fails ends nothing. What
    goes on has fewer trials to go. sweeper: the node of Hydra's config. given: what the user set. ranking: what the
    study optimises. again: whether it is there already.
    """
    storage = sweeper.storage or f"sqlite:///{directory.path / 'optuna.db'}"
    name = sweeper.study_name or directory.path.name
    found = {"hydra.sweeper.storage": storage, "hydra.sweeper.study_name": name}
    found[DIRECTION] = DIRECTIONS[ranking.mode]
    if _FAILURES not in given:
        found[_FAILURES] = 1.0
    if again:
        found["hydra.sweeper.n_trials"] = trials_to_go(storage, name, sweeper.n_trials)
    return override_texts(found, set())


def trials_to_go(storage: str, name: str, n_trials: int) -> int:
    """How many of the trials are not over. One that stopped half-way is asked for again, with the same values."""
    from optuna import load_study
    from optuna.trial import TrialState

    study = load_study(study_name=name, storage=storage)
    for trial in study.trials:
        if trial.state == TrialState.RUNNING:
            study.tell(trial.number, state=TrialState.FAIL)
            study.enqueue_trial(trial.params)
    return max(0, n_trials - sum(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in study.trials))
