"""Whole runs that are killed and go on, through the real command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_whole_run import settings, wait_for, workers_of  # noqa: F401  settings is a fixture
from training_hub.run import RunDir

pytestmark = [pytest.mark.slow, pytest.mark.needs("trl", "torch", "peft")]
# 12 rows, 4 a step, 20 epochs: 60 steps.
COURSE = ["num_epochs=20", "save_steps=10", "save_total_limit=2", "backend.save_dtype=float32"]


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
    assert f"run {run.path}\ngoing on from step " in done.stdout
    assert same(run, left_alone(processes), processes)
    again = train(settings, run, *words)
    assert (again.returncode, again.stdout) == (0, f"{run.path} is completed: nothing to do\n")
