"""Whole runs that are killed and go on, through the real command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_whole_run import settings, wait_for, workers_of  # noqa: F401  settings is a fixture
from training_hub.checkpoints import saved
from training_hub.run import RunDir

pytestmark = [pytest.mark.slow, pytest.mark.needs("trl", "torch", "peft")]
# 12 rows, 4 a step, 20 epochs: 60 steps.
COURSE = ["num_epochs=20", "save_steps=10", "save_total_limit=2", "backend.save_dtype=float32"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """For each process: sums are rounded alike in a run and in a sweep, whose runs share the cores."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OMP_NUM_THREADS", "1")
        yield


def command(common: list[str], run: RunDir, *words: str) -> list[str]:
    return [sys.executable, "-m", "training_hub", *common, *COURSE, f"output_dir={run.path}", *words]


def train(common: list[str], run: RunDir, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(common, run, *words), capture_output=True, text=True, check=False)


def start(common: list[str], run: RunDir, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(common, run, *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def rows(run: RunDir) -> list[dict[str, Any]]:
    """The metrics, without what depends on the clock."""
    clocked = {"seconds", "tokens_per_second"}
    return [{key: row[key] for key in row.keys() - clocked} for row in run.read_metrics()]


def same(run: RunDir, other: RunDir, processes: int) -> bool:
    """Whether two runs came to the same: bit for bit on one process, up to rounding on several."""
    from safetensors.torch import load_file

    mine, others = (load_file(each.final_checkpoint / "model.safetensors") for each in (run, other))
    apart = max(float((mine[name] - others[name]).abs().max()) for name in others)
    if processes == 1:
        return apart == 0 and rows(run) == rows(other)
    return apart < 1e-5 and [row["step"] for row in rows(run)] == [row["step"] for row in rows(other)]


@pytest.fixture(scope="module")
def left_alone(settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., RunDir]:  # noqa: F811
    """A run that nothing disturbs, with so many processes; made once."""
    made: dict[int, RunDir] = {}

    def run(processes: int) -> RunDir:
        if processes not in made:
            made[processes] = RunDir(tmp_path_factory.mktemp("left_alone") / "out")
            done = train(settings, made[processes], f"nproc_per_node={processes}")
            assert done.returncode == 0, done.stderr
        return made[processes]

    return run


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_whose_every_process_is_killed_goes_on_by_the_same_command(
    left_alone: Callable[..., RunDir],
    settings: list[str],  # noqa: F811
    tmp_path: Path,
    processes: int,
) -> None:
    run, words = RunDir(tmp_path / "out"), (f"nproc_per_node={processes}", "resume=auto")
    process = start(settings, run, *words)
    wait_for(lambda: run.checkpoint(20).exists())
    for number in (process.pid, *workers_of(run)):
        os.kill(number, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not workers_of(run))
    assert run.read_result() is None
    done = train(settings, run, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"run {run.path}\nresuming from step " in done.stdout
    assert same(run, left_alone(processes), processes)
    again = train(settings, run, *words)
    assert (again.returncode, again.stdout) == (0, f"{run.path} is completed: nothing to do\n")


def test_two_processes_that_are_all_told_to_end_save_and_go_on(
    left_alone: Callable[..., RunDir],
    settings: list[str],  # noqa: F811
    tmp_path: Path,
) -> None:
    """As batch systems do: SIGTERM to every process at once, and once more to the workers."""
    run, words = RunDir(tmp_path / "out"), ("nproc_per_node=2", "resume=auto")
    process = start(settings, run, *words)
    wait_for(lambda: len(run.read_metrics()) > 3)
    workers = workers_of(run)
    for number in (process.pid, *workers, *workers):
        os.kill(number, signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 75, errors
    assert saved(run)[-1] == run.checkpoint(int(rows(run)[-1]["step"]))
    assert workers_of(run) == []
    again = [sys.executable, "-m", "training_hub", "resume", str(run.path)]
    done = subprocess.run(again, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert same(run, left_alone(2), 2)


def test_a_sweep_that_was_killed_half_way_goes_on_from_the_checkpoints_of_its_runs(
    left_alone: Callable[..., RunDir],
    settings: list[str],  # noqa: F811
    tmp_path: Path,
) -> None:
    sweep = RunDir(tmp_path / "swept")
    words = ["-m", *command(settings, sweep, "save_total_limit=2,3", "jobs=2", "resume=true")[3:]]
    words.remove("save_total_limit=2")
    hub = [sys.executable, "-m", "training_hub", *words]
    process = subprocess.Popen(hub, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list(sweep.path.glob("*/checkpoints/checkpoint-*")))
    for number in (process.pid, *workers_of(sweep)):
        os.kill(number, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not workers_of(sweep))
    runs = [RunDir(file.parent) for file in sweep.path.glob("*/config.yaml")]
    begun = [run for run in runs if saved(run)]
    assert [run.read_result() for run in begun] == [None] * len(begun)
    done = subprocess.run(hub, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert all("resuming from step " in run.log.read_text() for run in begun)
    assert len(runs) == 2
    assert all(same(run, left_alone(1), 1) for run in runs)
