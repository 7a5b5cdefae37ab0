"""Where a sweep was begun that is to go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training_hub.errors import ConfigError, fault
from training_hub.stored import Damaged
from training_hub.sweep_dir import Job, SweepDir


def find(jobs: Sequence[Job], typed: str | None, default: Path) -> SweepDir | None:
    """The folder that was typed, else the newest beside the default one that holds this sweep; None where none does.

    A sweep may have gained jobs since, never lost any. ConfigError for a typed folder that holds another sweep.
    """
    digests = {job.digest for job in jobs}
    if typed is None:
        return _newest(digests, default.parent)
    directory = SweepDir(typed)
    if not directory.exists():
        return None
    began = {job.digest for job in directory.jobs()}
    if not began <= digests:
        rule = f"holds another sweep: {len(began - digests)} of its {len(began)} runs are not among these"
        raise ConfigError(fault("output_dir", typed, rule, "choose another, or type the same settings"))
    return directory


def _newest(digests: set[str], folder: Path) -> SweepDir | None:
    there = sorted(folder.glob("*/sweep.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    return next((each for each in (SweepDir(file.parent) for file in there) if _holds(each, digests)), None)


def _holds(directory: SweepDir, digests: set[str]) -> bool:
    """Whether all of a sweep's jobs are among these; not where it is damaged: another one may be begun then."""
    try:
        return directory.exists() and {job.digest for job in directory.jobs()} <= digests
    except Damaged:
        return False
