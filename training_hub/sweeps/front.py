"""`-m`: a sweep from what was typed to its table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

import yaml
from omegaconf import OmegaConf

from training_hub import train, weights_check
from training_hub.errors import EXIT_INTERRUPTED, ConfigError, fault
from training_hub.results.state import states
from training_hub.run import RunDir
from training_hub.sweep_dir import Job, SweepDir, outcome
from training_hub.sweeps.board import Board
from training_hub.sweeps.direction import DIRECTION, DIRECTIONS
from training_hub.sweeps.expand import Asked, read
from training_hub.sweeps.find import find
from training_hub.sweeps.plan import Planner
from training_hub.sweeps.queue import Queue
from training_hub.sweeps.record import recorded
from training_hub.sweeps.submitted import run_submitted
from training_hub.sweeps.watch import watch
from training_hub.terminal import complain, say


@dataclass(frozen=True)
class PlannedSweep:
    """A sweep whose jobs have passed every check; nothing is written."""

    jobs: list[Job]
    directory: SweepDir
    planner: Planner
    asked: Asked

    def plans(self) -> Iterator[tuple[Job, train.Plan]]:
        """Each job with its plan."""
        return ((job, self.planner.plan(job, self.directory.path)) for job in self.jobs)

    def plugins(self) -> str:
        """What the plugins of Hydra's are set to, as YAML; "" where this program makes and runs the jobs."""
        if not self.asked.plugin:
            return ""
        hydra = self.planner.hydra(self.jobs[0].overrides)
        nodes = {f"hydra/{name}={getattr(self.asked, name)}": hydra[name] for name in ("sweeper", "launcher")}
        return "\n".join(f"{title}\n{indent(_without_target(node), '  ')}" for title, node in nodes.items())

    def script(self, plans: Sequence[train.Plan]) -> str:
        """What a scheduler would be given for all of them; "" where none is."""
        return plans[0].launcher.plan(
            [each.spec for each in plans], self.directory.submitted, self.asked.own.get("jobs")
        )


def planned_sweep(overrides: Sequence[str], config_dirs: Sequence[str] = ()) -> PlannedSweep:
    """Check every job, or a sample where the values are chosen while the sweep runs. ConfigError with all faults."""
    asked = read(overrides, config_dirs)
    planner = planner_of(asked, config_dirs)
    jobs, directory = _jobs(asked, planner)
    return PlannedSweep(jobs, directory, planner, asked)


def _without_target(node: Any) -> str:
    plain: Any = OmegaConf.to_container(node, resolve=False, enum_to_str=True)
    return yaml.safe_dump({key: value for key, value in plain.items() if key != "_target_"}, sort_keys=False)


def planner_of(asked: Asked, config_dirs: Sequence[str]) -> Planner:
    """What plans the runs of a sweep."""
    of_hydra = [str(each.input_line) for each in asked.of_hydra]
    if asked.sweeper == "optuna" and asked.ranking:
        of_hydra.append(f"{DIRECTION}={DIRECTIONS[asked.ranking.mode]}")
    return Planner(asked.swept, config_dirs, of_hydra, asked.ranking.metric if asked.ranking else None)


def run_sweep(asked: Asked, overrides: Sequence[str], config_dirs: Sequence[str] = ()) -> int:
    """Check every job, run them, print the table; returns the exit status, the highest of the jobs'.

    ConfigError with the faults of all jobs, before the first one starts.
    """
    planner = planner_of(asked, config_dirs)
    jobs, directory = _jobs(asked, planner)
    weights_check.must_fit(planner.unwatched)
    ranking = asked.ranking or directory.ranking()
    with recorded(directory, jobs, overrides, config_dirs, planner.kept, ranking) as record:
        record.status = _run(directory, jobs, planner, asked.own.get("jobs"))
    return record.status


def _jobs(asked: Asked, planner: Planner) -> tuple[list[Job], SweepDir]:
    """The jobs, checked, and their folder."""
    jobs, directory = _again(asked, planner) or _new(asked, planner)
    launcher, limit = planner.launcher(jobs[0]), asked.own.get("jobs")
    if limit and not launcher.waits and not launcher.limits:
        raise ConfigError(fault("jobs", limit, f"{launcher.name} runs all jobs of a sweep at once", "drop it"))
    return jobs, directory


def _new(asked: Asked, planner: Planner) -> tuple[list[Job], SweepDir]:
    """Checked jobs, and a folder that nobody uses."""
    every = asked.samples() if asked.chooses_values else asked.jobs()
    directory = new_directory(asked, planner, every)
    return planner.checked(every, directory.path), directory


def new_directory(asked: Asked, planner: Planner, every: Sequence[Sequence[str]]) -> SweepDir:
    """The folder that was typed, or one that is given by the clock. ConfigError where it is not free."""
    folder = Path(asked.output_dir) if asked.output_dir else _unused(planner.folder(every))
    directory = SweepDir(folder)
    if directory.exists():
        way = "choose another, or resume it with resume=auto"
        raise ConfigError(fault("output_dir", folder, "already holds a sweep", way))
    if folder.is_file():
        raise ConfigError(fault("output_dir", folder, "a file, not a folder", "choose another"))
    if not RunDir(folder).is_free():
        raise ConfigError(
            fault("output_dir", folder, "not empty, and not a sweep directory", "choose another, new or empty")
        )
    return directory


def _unused(folder: Path) -> Path:
    """A second sweep within the same second gets a number."""
    names = (folder.with_name(f"{folder.name}_{number}") if number > 1 else folder for number in range(1, 1000))
    return next(each for each in names if not each.exists())


def _again(asked: Asked, planner: Planner) -> tuple[list[Job], SweepDir] | None:
    """The jobs, those that are left checked, and the folder where they were begun; None for a sweep to begin."""
    if asked.resume == "never" or asked.plugin:
        return None
    every = asked.jobs()
    jobs, default = planner.jobs(every), planner.folder(every)
    directory = find(jobs, asked.output_dir, default)
    if directory is None and asked.resume == "must":
        rule = f"no such sweep in {asked.output_dir or default.parent}"
        raise ConfigError(fault("resume", "must", rule, "give its folder with output_dir="))
    if directory is not None:
        going = _parted(directory, jobs)[1]
        planner.check([job for job in jobs if job not in going], directory.path)
    return (jobs, directory) if directory else None


def _parted(directory: SweepDir, jobs: Sequence[Job]) -> tuple[list[Job], list[Job]]:
    """The jobs that are not completed: those to start, and those that still go on."""
    left = [job for job in jobs if outcome(directory.run_of(job))["status"] != "completed"]
    begun = [job for job in left if directory.run_of(job).exists()]
    found = zip(begun, states([directory.run_of(job) for job in begun]), strict=True)
    going = [job for job, each in found if each.goes_on]
    return [job for job in left if job not in going], going


def _run(directory: SweepDir, jobs: Sequence[Job], planner: Planner, at_a_time: int | None) -> int:
    def plan(job: Job) -> train.Plan:
        planned = planner.plan(job, directory.path)
        if "overwrite=true" in planned.composition.overrides:
            say(f"{job.label} starts over: backend={planned.composition.choices['backend']} cannot resume")
        return planned

    board = Board(directory, jobs)
    try:
        with board.screen:
            status = _started(directory, jobs, planner, at_a_time, plan, board)
    finally:
        board.write()
        say(board.text())
    return status_of(board, status)


def _started(
    directory: SweepDir,
    jobs: Sequence[Job],
    planner: Planner,
    at_a_time: int | None,
    plan: Callable[[Job], train.Plan],
    board: Board,
) -> int:
    """Start and follow what is left; returns the exit status."""
    left, going = _parted(directory, jobs)
    say(f"sweep {directory.path}: {_counted(len(jobs), len(left), len(going))}")
    if not planner.launcher(jobs[0]).waits:
        return run_submitted(directory, left, going, at_a_time, plan, board)
    if going and watch(directory, going, board):
        return EXIT_INTERRUPTED
    return Queue(_parted(directory, jobs)[0], at_a_time, plan, board).run()


def status_of(board: Board, status: int) -> int:
    """The exit status of a sweep; completed runs without the metric that ranks them are told, and no success."""
    found = board.fault()
    if found:
        complain(found)
    return status or (ConfigError.exit_status if found else 0)


def _counted(jobs: int, left: int, going: int) -> str:
    on = f", {going} still running" if going else ""
    return f"{jobs} runs" if left == jobs else f"{left} of {jobs} runs to start{on}"
