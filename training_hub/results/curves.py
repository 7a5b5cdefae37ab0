"""The numbers of runs over their course, read from folders."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from training_hub.errors import ConfigError
from training_hub.results import foreign
from training_hub.results.state import runs_in
from training_hub.run import RunDir
from training_hub.sweep_dir import SweepDir

Points = list[tuple[float, float]]
AXES = {"step": "step", "epoch": "epoch", "tokens": "tokens", "samples": "samples", "time": "seconds"}


class Course(NamedTuple):
    """A run's metrics.

    name: what tells it from others. path: its folder. rows: as RunDir.read_metrics has them. swept: the settings that
    it has for itself in its sweep.
    """

    name: str
    path: Path
    rows: list[dict[str, Any]]
    swept: Mapping[str, str] = MappingProxyType({})

    def points(self, key: str, x: str = "step") -> Points:
        """What is known of one metric, over one of AXES; a row that has no number there has that of the row before."""
        found, place = [], None
        for row in self.rows:
            place = row[AXES[x]] if row[AXES[x]] is not None else place
            value = row.get(key)
            if place is not None and value is not None and math.isfinite(value):
                found.append((place, value))
        return found


def courses(folders: Sequence[str], setting: str = "", may_be_empty: bool = False) -> list[Course]:
    """The runs in folders.

    A folder is a run, its checkpoints, a sweep, a folder with runs somewhere below it, or one that another program has
    logged to. ConfigError names each that is none, and unless they may be empty each in which no run has metrics yet.
    setting: what the folders were given as, "" for bare words.
    """
    found: list[Course] = []
    faults: list[str] = []
    for folder in folders:
        try:
            there = list(_in(Path(folder).expanduser()))
        except ConfigError as error:
            faults += error.faults
            continue
        found += there
        if not (there if may_be_empty else any(each.rows for each in there)):
            said = [text for each in there for text in RunDir(each.path).left_out()]
            faults += said or [f"{setting and setting + '='}{folder}: {_rule(Path(folder).expanduser(), bool(there))}"]
    if faults or not folders:
        raise ConfigError(*faults or [f"{setting}: no folder is named; give that of a run or of a sweep"])
    return list({each.path: each for each in found}.values())


def _rule(folder: Path, holds_runs: bool) -> str:
    if not folder.is_dir():
        return "no such folder; give that of a run or of a sweep"
    return "no metrics yet" if holds_runs else "no metrics of a run in this folder; give that of a run or of a sweep"


def _in(folder: Path) -> Iterator[Course]:
    sweep, around = SweepDir(folder), RunDir(folder.absolute().parent)
    if sweep.exists():
        for job in sweep.jobs():  # Damaged, a ConfigError: the runs can be named one by one
            yield Course(job.label, sweep.run_of(job).path, _rows(sweep.run_of(job)), job.swept)
    elif around.exists() and around.checkpoints == folder.absolute():
        yield Course(around.path.name, around.path, _rows(around))
    elif runs := runs_in(folder) if folder.is_dir() else []:
        for run in runs:
            below = run.path.relative_to(folder.absolute())
            yield Course(str(below) if below.parts else run.path.name, run.path, _rows(run))
    elif file := foreign.log_in(folder):
        yield Course(folder.resolve().name, folder.absolute(), foreign.read(file))


def _rows(run: RunDir) -> list[dict[str, Any]]:
    return run.read_metrics()
