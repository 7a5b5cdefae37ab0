"""What a report tells, gathered from the folders of runs; plain data, ready for a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from training_hub import metrics
from training_hub.ranking import BY_LOSS, Ranking, objective
from training_hub.results.curves import Course, courses
from training_hub.results.state import State, states
from training_hub.run import RunDir
from training_hub.stored import Damaged
from training_hub.sweep_dir import SweepDir, outcome
from training_hub.verbs.report.differ import differences, flatten
from training_hub.verbs.report.thin import Columns, columns

Known = TypeVar("Known")
_MOST_POINTS = 40_000  # of all curves together
_TOLD_ELSEWHERE = {
    "steps", "tokens", "tokens_per_second", "first_loss", "final_loss", "eval_loss_before", "eval_loss_after",
}  # fmt: skip
_OF_A_CURVE = (100, 1000)  # at least, and at most
_MOST_CHARTS = 24  # of metrics beside the core


@dataclass
class Told:
    """One run.

    row: what came of it, as in a sweep's table. course: its metrics; curves: thinned, as columns. objective: what it is
    ranked by, None where it is not ranked.
    """

    number: int
    name: str
    path: Path
    course: Course
    state: State
    row: dict[str, Any]
    curves: dict[str, Columns]
    config: dict[str, Any] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)
    samples: list[dict[str, str]] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)  # those that differ between the runs of the report
    notes: list[str] = field(default_factory=list)  # what its result says beside numbers
    numbers: dict[str, float] = field(default_factory=dict)  # final ones that nothing else of the report tells
    objective: float | None = None

    def last(self, key: str) -> float | None:
        """The newest number of a metric."""
        return next((row[key] for row in reversed(self.course.rows) if row[key] is not None), None)


@dataclass
class Report:
    """title: of the page. runs: the best one first. settings: those that differ. is_sweep: whether one sweep is all.

    further: metrics beside the core that have a chart, with their values on held-out rows; undrawn: those that do not.
    ranking: how the runs are ranked.
    """

    title: str
    runs: list[Told]
    settings: list[str]
    is_sweep: bool
    further: list[str] = field(default_factory=list)
    undrawn: list[str] = field(default_factory=list)
    ranking: Ranking = BY_LOSS

    def short(self, run: Told) -> str:
        """How a run is called where there is little room: by its number where the name is its settings."""
        return str(run.number) if self.is_sweep else run.name


def gather(folders: Sequence[str]) -> Report:
    """Read all that is to be told. ConfigError for folders without runs."""
    found = courses(folders, may_be_empty=True)
    runs = [RunDir(each.path) for each in found]
    further = list(dict.fromkeys(_chart_of(name) for each in found for name in metrics.further(each.rows)))
    drawn = further[:_MOST_CHARTS]
    most = min(max(_OF_A_CURVE[0], _MOST_POINTS // (len(found) * (1 + len(drawn)))), _OF_A_CURVE[1])
    known = iter(states([run for run in runs if run.exists()]))
    told = [
        _told(number, course, run, next(known) if run.exists() else None, _curves(course, drawn, most))
        for number, (course, run) in enumerate(zip(found, runs, strict=True), 1)
    ]
    settings = _compare(told)
    sweeps = [sweep for sweep in map(SweepDir, folders) if sweep.exists()]
    ranking = _rank(told, sweeps)
    is_sweep = len(folders) == len(sweeps) == 1
    return Report(_title(folders, told), told, settings, is_sweep, drawn, further[_MOST_CHARTS:], ranking)


def _rank(told: list[Told], sweeps: Sequence[SweepDir]) -> Ranking:
    """Sort the runs, the best first, as their sweeps rank them; by loss where these do not agree."""
    asked = {sweep.ranking() for sweep in sweeps}
    ranking = asked.pop() if len(asked) == 1 else BY_LOSS
    for each in told:
        value = objective(each.row, ranking)
        each.objective = value if value is not None and value == value else None
    told.sort(key=lambda each: (each.objective is None, -ranking.sign * (each.objective or 0.0), each.number))
    return ranking


def _chart_of(name: str) -> str:
    """The chart that shows a metric: the values on held-out rows stand beside the others."""
    short = name.removeprefix(metrics.held_out(""))
    return short if short and short not in metrics.CORE else name


def _curves(course: Course, further: Sequence[str], most: int) -> dict[str, Columns]:
    names = ("loss", *further)
    found = {key: columns(course.rows, key, most) for name in names for key in (name, metrics.held_out(name))}
    return {key: each for key, each in found.items() if key in metrics.CORE or each["number"]}


def _told(number: int, course: Course, run: RunDir, state: State | None, curves: dict[str, Columns]) -> Told:
    if state is None:
        is_ours = not course.rows  # a job of a sweep that has not begun
        found = State("pending") if is_ours else State("", "logged by another program")
        return Told(number, course.name, course.path, course, found, _row_of(course, found), curves)
    row = outcome(run) | {"status": state.word}
    told = Told(number, course.name, course.path, course, state, row, curves)
    told.config = _known(run.read_config, {}, told.notes)
    told.manifest = _known(run.read_manifest, {}, told.notes)
    told.overrides = _known(run.read_overrides, [], told.notes)
    told.samples = run.read_samples()
    if result := _known(run.read_result, None, told.notes):
        told.notes += result.warnings
        told.notes += [f"stopped early: {result.stopped}"] if result.stopped else []
        told.numbers = {name: value for name, value in result.metrics.items() if name not in _TOLD_ELSEWHERE}
    told.notes = [*dict.fromkeys(text for text in (*told.notes, *run.left_out()) if text != state.reason)]
    return told


def _known(read: Callable[[], Known], otherwise: Known, notes: list[str]) -> Known:
    """What a file of the run says; a note, and something else, where it cannot be read."""
    try:
        return read()
    except Damaged as error:
        notes.append(str(error))
        return otherwise


def _row_of(course: Course, state: State) -> dict[str, Any]:
    """What a log of another program tells of the end."""
    losses = {key: points[-1][1] if (points := course.points(key)) else None for key in ("loss", "eval_loss")}
    return {
        "status": state.word,
        "final_loss": losses["loss"],
        "eval_loss": losses["eval_loss"],
        "seconds": course.points("loss", "time")[-1][0] if course.points("loss", "time") else None,
        "error": None,
        "path": str(course.path),
        "metrics": metrics.latest(course.rows),
    }


def _compare(told: Sequence[Told]) -> list[str]:
    """Give each run the settings that differ; returns their names. One that has not begun has those of its sweep."""
    begun = [each for each in told if each.config]
    chosen = [{key: each.manifest[key] for key in ("algorithm", "backend") if key in each.manifest} for each in begun]
    found = differences([flatten(each.config) | names for each, names in zip(begun, chosen, strict=True)])
    for at, each in enumerate(begun):
        each.settings = {name: values[at] for name, values in found.items()}
    for each in told:
        each.settings = each.settings or dict(each.course.swept)
    return list(found or dict.fromkeys(name for each in told for name in each.course.swept)) if len(told) > 1 else []


def _title(folders: Sequence[str], told: Sequence[Told]) -> str:
    if len(told) == 1:
        return told[0].name
    return Path(folders[0]).resolve().name if len(folders) == 1 else f"{len(told)} runs"
