"""The numbers of runs over their course, read from folders."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from training_hub.errors import ConfigError, enumerate_names, fault
from training_hub.metrics import names
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


def logged(folders: Sequence[str], file: str | os.PathLike[str] | None, keys: Sequence[str]) -> list[Course]:
    """What any program has logged in folders, under the names that it gave its metrics.

    file: the log, a name in each folder or a path; None: the one that is found. keys: names of one metric; each row has
    the first that is there under the first name. ConfigError for folders and files without metrics.
    """
    found: list[Course] = []
    faults: list[str] = []
    for folder in [Path(each).expanduser() for each in folders]:
        try:
            found += [*_named(folder, Path(file).expanduser(), keys)] if file else _with_keys(folder, keys)
        except ConfigError as error:
            faults += error.faults
    if faults or not folders:
        raise ConfigError(*faults or ["ckpt_output_dirs: no folder is named; give that of a run or of a sweep"])
    if keys and not any(each.points(keys[0]) for each in found):
        known = enumerate_names(names(row for each in found for row in each.rows))
        raise ConfigError(fault("metric_keys", ",".join(keys), "no run has logged any", f"choose from ({known})"))
    return found


def _named(folder: Path, file: Path, keys: Sequence[str]) -> Iterator[Course]:
    place = next((each for each in (folder / file, file) if each.is_file()), None)
    if place is None:
        raise ConfigError(fault("metrics_file", file, f"there is no such file in {folder}", "check the name"))
    rows = foreign.read(place, keys)
    if not rows:
        raise ConfigError(fault("metrics_file", file, f"{place} has no rows with a metric", "name its metric_keys"))
    yield Course(folder.resolve().name, folder.absolute(), rows)


def _with_keys(folder: Path, keys: Sequence[str]) -> Iterator[Course]:
    for course in courses([str(folder)], "ckpt_output_dirs"):
        file = None if RunDir(course.path).exists() else foreign.log_in(course.path)
        rows = foreign.read(file, keys) if file else [foreign.renamed(row, keys) for row in course.rows]
        yield course._replace(rows=rows)


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
