"""Sweeps as job arrays on a real SLURM, with workers that count instead of training."""

from __future__ import annotations

import csv
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.slurm.conftest import hub, number_of, wait_for
from tests.slurm.test_jobs import COUNTING
from tests.sweeps.conftest import Sweep, words  # noqa: F401  a fixture
from training_hub.sweep_dir import Job, SweepDir
from training_hub.sweeps.board import Board
from training_hub.sweeps.submitted import run_submitted
from training_hub.verbs.cancel.stop import cancel
from training_hub.verbs.status.states import status

pytestmark = pytest.mark.usefixtures("slurm")


class Counting(Sweep):
    """Each run counts; script: how far."""

    def command(self, job: Job, run_dir: str) -> tuple[str, ...]:
        return (sys.executable, COUNTING, run_dir, self.script(job))


@pytest.fixture
def made(words: list[str], tmp_path: Path) -> Callable[..., Sweep]:  # noqa: F811
    def make(script: Callable[[Job], str], *overrides: str) -> Sweep:
        directory = SweepDir(tmp_path / "swept out")
        sweep = Counting(directory, [*words, "launcher=slurm", "max_requeues=0", *overrides], script)
        directory.path.mkdir()
        directory.write(sweep.jobs, status="running")
        return sweep

    return make


def run(sweep: Sweep, at_a_time: int | None = None) -> tuple[int, list[str]]:
    """Exit status, and those of the runs as results.csv has them."""
    board = Board(sweep.directory, sweep.jobs)
    left = [job for job in sweep.jobs if board.rows[job.digest]["status"] != "completed"]
    status = run_submitted(sweep.directory, left, [], at_a_time, sweep.plan, board)
    board.write()
    with sweep.directory.results.open() as file:
        return status, [row["status"] for row in csv.DictReader(file)]


def test_a_sweep_is_one_array_and_one_failure_stops_nothing(made: Callable[..., Sweep]) -> None:
    sweep = made(lambda job: "three" if job.swept["seed"] == "2" else "3", "seed=1,2,3")
    assert run(sweep, 2) == (1, ["completed", "failed", "completed"])
    numbers = [number_of(sweep.directory.run_of(job)) for job in sweep.jobs]
    assert {number.partition("_")[0] for number in numbers} == {numbers[0].partition("_")[0]}
    assert "--array=0-2%2" in (sweep.directory.submitted / "job.sh").read_text()


@pytest.mark.parametrize(("times", "expected"), [(1, 75), (2, 130)])
def test_ctrl_c_lets_what_runs_save_and_takes_back_the_rest(
    times: int, expected: int, made: Callable[..., Sweep]
) -> None:
    sweep = made(lambda job: "10000", "seed=1,2")
    first, second = (sweep.directory.run_of(job) for job in sweep.jobs)

    def stop() -> None:
        wait_for(first.read_metrics)
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.5)

    threading.Thread(target=stop).start()
    assert run(sweep, 1) == (expected, ["interrupted", "interrupted"])
    assert (first.checkpoints / "step").exists()
    assert not second.read_metrics()
    result = second.read_result()
    assert result is not None
    assert str(result.error).endswith(": cancelled")


def test_status_and_cancel_take_the_folder_of_a_sweep(made: Callable[..., Sweep]) -> None:
    sweep = made(lambda job: "10000", "seed=1,2", "wait=false")
    assert run(sweep) == (0, ["pending", "pending"])
    runs = [sweep.directory.run_of(job) for job in sweep.jobs]
    wait_for(lambda: all(each.read_metrics() for each in runs))
    assert status([str(sweep.directory.path)]).count("running") == 2
    cancel([str(sweep.directory.path)], now=False)
    wait_for(lambda: status([str(sweep.directory.path)]).count("interrupted") == 2)


@pytest.mark.slow
@pytest.mark.needs("hydra_plugins")
def test_the_launcher_of_hydras_plugin_runs_the_jobs(words: list[str], tmp_path: Path) -> None:  # noqa: F811
    plugin = ["hydra/launcher=submitit_slurm", "hydra.launcher.timeout_min=5", "hydra.launcher.cpus_per_task=1"]
    settings = ["backend.worker=quick_worker.train", "max_steps=2", "lr=1e-3,3", "output_dir=swept"]
    quick = str(Path(__file__).parents[1] / "sweeps" / "quick")
    done = hub("-m", *words, *settings, *plugin, cwd=tmp_path, PYTHONPATH=quick)
    with SweepDir(tmp_path / "swept").results.open() as file:
        found = [row["status"] for row in csv.DictReader(file)]
    assert (done.returncode, found) == (1, ["completed", "failed"]), done.stderr
