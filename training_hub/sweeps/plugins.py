"""Sweeps whose jobs are made or run by a plugin of Hydra's: hydra/sweeper=optuna, hydra/launcher=joblib, submitit."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from training_hub import catalogue, train
from training_hub.config.compose import rewritten
from training_hub.config.groups import CONF, ROOT, VERSION_BASE, further_folders, prepare_hydra, recipes_in_place
from training_hub.config.overrides import override_texts
from training_hub.errors import ConfigError, HubError, RunFailed, RunInterrupted, fault, shown_value
from training_hub.machine.processes import end_with
from training_hub.provenance import command_line
from training_hub.ranking import objective
from training_hub.run import RunDir
from training_hub.sweep_dir import SweepDir, outcome
from training_hub.sweeps.board import Board
from training_hub.sweeps.expand import Asked, typed
from training_hub.sweeps.front import new_directory, planner_of, status_of
from training_hub.sweeps.plan import Planner
from training_hub.sweeps.record import recorded
from training_hub.sweeps.study import study_settings
from training_hub.terminal import say


def run_plugin_sweep(asked: Asked, overrides: Sequence[str], config_dirs: Sequence[str] = ()) -> int:
    """A sweep by Hydra's multirun; returns the exit status, the highest of the jobs' that are known.

    ConfigError for faults that can be seen before its first job: of all jobs where Hydra's own sweeper makes them.
    """
    plugin = asked.plugin
    if "jobs" in asked.own:
        rule = f"{plugin} decides how many run at a time"
        raise ConfigError(fault("jobs", asked.own["jobs"], rule, "use its own setting"))
    planner = planner_of(asked, config_dirs)
    every = asked.samples() if asked.chooses_values else asked.jobs()
    planner.checked(every, Path("outputs"))
    found = _there(asked, planner.folder(every), config_dirs)
    if found:
        board = collected(found, planner)
        planner.check(board.completed(), found.path)
        _refuse_another_ranking(asked, board)
    directory = found or new_directory(asked, planner, every)
    ranking = asked.ranking or directory.ranking()
    settings = [*_typed(asked.for_hydra()), *override_texts({"hydra.sweep.dir": str(directory.path)}, set())]
    if asked.sweeper == "optuna":
        logging.getLogger("alembic").setLevel(logging.WARNING)  # which tells of itself where optuna makes its study
        settings += study_settings(
            directory, planner.hydra(every[0]).sweeper, asked.hydra_keys, ranking, again=found is not None
        )
    with recorded(directory, [], overrides, config_dirs, planner.kept, ranking) as record:
        try:
            _multirun(settings, asked.swept, directory.path, config_dirs)
            record.status = 0
        except HubError as error:
            record.status = error.exit_status
        except SystemExit as error:  # Ctrl-C: see `job`
            record.status = int(error.code or 0)
        except Exception as error:
            raise RunFailed(f"{plugin}: {type(error).__name__}: {str(error).partition(chr(10))[0]}") from error
        finally:
            board = collected(directory, planner)
            say(board.text())
        record.status = status_of(board, record.status)
    return record.status


def _refuse_another_ranking(asked: Asked, board: Board) -> None:
    """ConfigError where a sweeper has already been told other values than it would be told from now on."""
    ranks = [each for each in board.rows.values() if objective(each, board.ranking) is not None]
    if asked.chooses_values and ranks and asked.ranking not in (None, board.ranking):
        began = f"rank_by={shown_value(board.ranking.metric)} rank_mode={board.ranking.mode}"
        rule = f"the values of this sweep were chosen by {began}"
        raise ConfigError(fault("rank_by", asked.own.get("rank_by"), rule, "drop it, or start a new sweep"))


def _there(asked: Asked, default: Path, config_dirs: Sequence[str]) -> SweepDir | None:
    """The sweep that is to go on: in the folder that was typed, else the newest of the same settings."""
    if asked.resume == "never":
        return None
    there = [Path(asked.output_dir)] if asked.output_dir else default.parent.glob("*")
    sweeps = [sweep for sweep in map(SweepDir, there) if sweep.exists()]
    same = [each for each in sweeps if _lines(typed(each.read().get("overrides") or [], config_dirs)) == _lines(asked)]
    if asked.output_dir and sweeps and not same:
        rule = "holds another sweep: it was begun with other settings"
        raise ConfigError(fault("output_dir", asked.output_dir, rule, "choose another, or type the same"))
    if asked.resume == "must" and not same:
        raise ConfigError(fault("resume", "must", f"no such sweep in {asked.output_dir or default.parent}"))
    return max(same, key=lambda sweep: sweep.description.stat().st_mtime, default=None)


def _lines(asked: Asked) -> set[str]:
    typed = (*asked.settings, *asked.of_hydra)
    return {str(each.input_line) for each in typed if each.key_or_group != "hydra.sweeper.n_trials"}


def collected(directory: SweepDir, planner: Planner) -> Board:
    """The runs that are there, also those that other processes made."""
    runs = [RunDir(file.parent) for file in sorted(directory.path.glob("*/overrides.yaml"))]
    jobs = planner.jobs([run.read_overrides() for run in runs])
    board = Board(directory, jobs)
    board.write()
    return board


def _multirun(settings: Sequence[str], swept: Sequence[str], folder: Path, config_dirs: Sequence[str]) -> None:
    """Run Hydra's multirun. Raises what the sweeper raises: as a rule the first failure of a job."""
    prepare_hydra()
    if VERSION_BASE:
        version.setbase(VERSION_BASE["version_base"])
    with further_folders(config_dirs):
        search_path = create_config_search_path(str(CONF))
    hydra = Hydra.create_main_hydra2(task_name="training_hub", config_search_path=search_path)
    try:
        task = partial(job, folder=folder, swept=tuple(swept), config_dirs=tuple(config_dirs), front=os.getpid())
        with recipes_in_place():
            hydra.multirun(config_name=ROOT, task_function=task, overrides=list(settings))
    finally:
        GlobalHydra.instance().clear()


def _typed(parsed: Sequence[Override]) -> list[str]:
    """Overrides as Hydra takes them. A sweeper names its parameters as it reads them here: without `++`."""
    texts = rewritten([str(each.input_line) for each in parsed], catalogue.names())
    plain = [each.is_sweep_override() and "." not in each.key_or_group for each in parsed]
    return [text.removeprefix("++") if known else text for text, known in zip(texts, plain, strict=True)]


def job(cfg: DictConfig, folder: Path, swept: Sequence[str], config_dirs: Sequence[str], front: int) -> float | None:
    """One job, in whatever process the launcher started: what it is ranked by. A run that is there goes on.

    Raises RunFailed and ConfigError, which the sweeper counts as a failure. The end by Ctrl-C ends the process: a
    launcher would keep any other error, and start the next job. front: the process of the sweep.
    """
    if os.getppid() == front:  # a process of joblib's, say, which would live on; its worker saves and stops then
        end_with(front, signal.SIGKILL)
    planner, directory = Planner(swept, config_dirs), SweepDir(folder)
    (this,) = planner.jobs([list(HydraConfig.get().overrides.task)])
    run = directory.run_of(this)
    if outcome(run)["status"] != "completed":
        try:
            train.run(planner.plan(this, folder), command_line())
        except RunInterrupted as error:
            print(error, file=sys.stderr, flush=True)
            raise SystemExit(error.exit_status) from None
        except (RunFailed, ConfigError) as error:
            print(error, file=sys.stderr, flush=True)
            raise
        finally:
            collected(directory, planner)
    value = objective(outcome(run), directory.ranking())
    if value is None and HydraConfig.get().runtime.choices["hydra/sweeper"] != "basic":
        raise SystemExit(ConfigError.exit_status)  # no trial can be judged: the sweep ends, and says why
    return value
