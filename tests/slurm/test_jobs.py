"""Jobs on a real SLURM, with workers that count instead of training."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.conftest import LAUNCHER, job_of, number_of, submit, wait_for
from training_hub.errors import ConfigError
from training_hub.launchers.follow import follow
from training_hub.launchers.slurm import cluster
from training_hub.launchers.slurm.launcher import SlurmLauncher
from training_hub.launchers.slurm.submit import _submit_alike
from training_hub.results.state import state
from training_hub.run import RunDir, RunSpec, TrainResult
from training_hub.verbs.cancel.stop import cancel

COUNTING = str(Path(__file__).with_name("counting.py"))
SETTINGS: dict[str, Any] = {
    "job_name": "counting", "partition": None, "account": None, "timeout_min": None, "nodes": 1, "gpus_per_node": 0,
    "cpus_per_node": 1, "memory_gb": None, "setup": [], "stop_before_s": 30, "max_requeues": 1, "sbatch": {},
    "srun": [], "nproc_per_node": 1,
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("slurm")
Make = Callable[..., RunSpec]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A run that counts so many steps, or does something else, in a folder of its own."""

    def spec(name: str, steps: int = 5, command: tuple[str, ...] = (), **settings: Any) -> RunSpec:
        run = RunDir(tmp_path / name)
        run.path.mkdir()
        run.create({"launcher": {"_target_": LAUNCHER}}, [], {"status": "pending"})
        words = command or (sys.executable, COUNTING, str(run.path), str(steps))
        return RunSpec(
            str(run.path), (words,), {"COLOUR": "dark 'red'"}, settings=SETTINGS | settings, launcher=LAUNCHER
        )

    return spec


def started(spec: RunSpec) -> tuple[RunDir, str]:
    """A run whose job has begun to count."""
    [job] = submit([spec], RunDir(spec.run_dir).submitted)
    run = RunDir(spec.run_dir)
    wait_for(run.read_metrics, 20)
    return run, job


def followed(run: RunDir, job: str) -> int:
    return follow(SlurmLauncher, run, job, lambda: None)


def steps(run: RunDir) -> list[float]:
    return [row["step"] for row in run.read_metrics()]


def test_a_job_runs_to_its_end(make: Make) -> None:
    run, job = started(make("run", gpus_per_node=3))
    assert followed(run, job) == 0
    assert steps(run) == [1, 2, 3, 4, 5]
    assert job_of(run).word == "completed"
    assert (state(run).word, run.read_manifest()["status"], run.read_manifest()["job"]) == (
        "completed",
        "completed",
        job,
    )
    assert "CUDA_VISIBLE_DEVICES')='0,1,2'" in run.log.read_text()


def test_runs_with_the_same_settings_are_one_array_and_others_are_not(make: Make, tmp_path: Path) -> None:
    specs = [make("a", 4), make("b", 2, cpus_per_node=2), make("c", 3)]
    jobs = submit(specs, tmp_path / "jobs", at_a_time=1)
    runs = [RunDir(spec.run_dir) for spec in specs]
    array = jobs[0].partition("_")[0]
    assert jobs == [f"{array}_0", jobs[1], f"{array}_1"]
    assert array not in jobs[1]
    wait_for(lambda: all(state(run).word == "completed" for run in runs), 30)
    assert [len(steps(run)) for run in runs] == [4, 2, 3]
    assert sorted(path.name for path in (tmp_path / "jobs").glob("*.sh")) == ["job.sh", "job_2.sh"]


def test_a_job_whose_submitter_died_at_once_is_known_all_the_same(make: Make, tmp_path: Path) -> None:
    specs = [make("a", 1000), make("b", 1000)]
    array = _submit_alike(specs, tmp_path, None, "job.sh")  # the jobs are noted after that
    runs = [RunDir(spec.run_dir) for spec in specs]
    wait_for(lambda: all(run.read_metrics() for run in runs), 30)
    assert [number_of(run) for run in runs] == [f"{array}_0", f"{array}_1"]
    assert [state(run).word for run in runs] == ["running"] * 2
    cluster.cancel([array])


def test_a_failure_on_one_node_ends_the_job_on_all(make: Make) -> None:
    program = "import os, time; time.sleep(60 * (os.environ['SLURM_NODEID'] == '0')); raise ValueError('no luck')"
    spec = make("run", command=(sys.executable, "-c", program), nodes=2)
    began = time.monotonic()
    [job] = submit([spec], RunDir(spec.run_dir).submitted)
    run = RunDir(spec.run_dir)
    assert followed(run, job) == 1
    assert time.monotonic() - began < 15
    assert job_of(run).word == "failed"
    result = run.read_result()
    assert result is not None
    assert (result.status, state(run).word) == ("failed", "failed")
    assert str(result.error).startswith("exit status 1 on node")
    assert "ValueError: no luck" in run.log_tail()


def test_nothing_trains_on_where_the_process_of_a_machine_was_killed(make: Make) -> None:
    run, job = started(make("run", 1000))
    for number in processes_of(f"training_hub.launchers.slurm.node {run.path}"):  # srun as well
        os.kill(number, signal.SIGKILL)
    wait_for(lambda: state(run).word == "failed")
    wait_for(lambda: not processes_of(f"{COUNTING} {run.path}"), 5)
    assert followed(run, job) == 1


def processes_of(command: str) -> list[int]:
    """Numbers of the processes that run a command."""
    found = subprocess.run(["pgrep", "-f", command], capture_output=True, text=True, check=False)
    return [int(number) for number in found.stdout.split()]


def test_a_job_that_is_cancelled_saves_and_is_not_queued_again(make: Make) -> None:
    run, job = started(make("run", 1000))
    subprocess.run(["scancel", job], check=True)
    assert followed(run, job) == 75
    assert job_of(run).word == "cancelled"
    assert (run.checkpoints / "step").read_text() == str(len(steps(run)))
    assert state(run).word == "interrupted"


def test_the_verb_lets_a_job_save(make: Make) -> None:
    run, job = started(make("run", 1000))
    assert cancel([str(run.path)], now=False) == [f"{run.path}: asked to save and stop after this step"]
    assert followed(run, job) == 75
    assert job_of(run).word == "failed"  # it did not do what it was to do; SLURM has no better word
    assert (run.checkpoints / "step").exists()


def test_the_verb_cancels_a_job_that_waits(make: Make) -> None:
    spec = make("run", sbatch={"hold": True})
    [job] = submit([spec], RunDir(spec.run_dir).submitted)
    run = RunDir(spec.run_dir)
    assert (state(run).word, state(run).reason) == ("pending", f"job {job}: JobHeldUser")
    assert cancel([str(run.path)], now=False) == [f"{run.path}: job {job} is cancelled"]
    assert followed(run, job) == 130
    assert state(run).word == "interrupted"
    with pytest.raises(ConfigError, match="nothing to cancel: it is interrupted"):
        cancel([str(run.path)], now=False)


def test_a_job_whose_time_is_nearly_over_saves_and_goes_on(make: Make) -> None:
    """A minute is SLURM's least time limit, and it looks at the clock twice in one: 40 seconds are sure to be cut."""
    run, job = started(make("run", 800, timeout_min=1, stop_before_s=50, max_requeues=5))
    assert followed(run, job) == 0
    assert steps(run) == list(range(1, 801))
    assert run.read_manifest()["restarts"] >= 1
    assert "queued again" in run.log.read_text()
    assert not run.stop.exists()


@pytest.mark.parametrize(("max_requeues", "resumable"), [(0, True), (5, False)])
def test_a_job_is_not_queued_again_too_often_or_in_vain(make: Make, max_requeues: int, resumable: bool) -> None:
    """The signal of a time limit, sent by hand."""
    run, job = started(replace(make("run", 1000, max_requeues=max_requeues), resumable=resumable))
    subprocess.run(["scancel", "--batch", "--signal=USR2", job], check=True)
    assert followed(run, job) == 75
    assert (run.checkpoints / "step").exists()
    assert state(run).word == "interrupted"


@pytest.fixture(params=[0, 20], ids=["at once", "in grace"])
def grace_s(request: pytest.FixtureRequest) -> Iterator[int]:
    """How long a job of the partition may go on after it was told to make room."""
    subprocess.run(["scontrol", "update", "PartitionName=main", f"GraceTime={request.param}"], check=True)
    yield request.param
    subprocess.run(["scontrol", "update", "PartitionName=main", "GraceTime=0"], check=True)


def test_a_job_that_makes_room_for_another_goes_on_later(make: Make, grace_s: int) -> None:
    run, job = started(make("run", 80, nodes=4, cpus_per_node=4))
    preempting = subprocess.Popen(["srun", "-p", "high", "-N4", "--exclusive", "--mpi=none", "sleep", "1"])
    assert followed(run, job) == 0
    assert preempting.wait() == 0
    assert run.read_manifest()["restarts"] == 1
    assert steps(run)[-1] == 80
    assert ("queued again, the 1. of" in run.log.read_text()) == (grace_s > 0)  # else SLURM does it by itself


def test_a_run_directory_that_the_nodes_do_not_see_is_told(make: Make, tmp_path: Path) -> None:
    spec = make("run", sbatch={"hold": True})
    run = RunDir(spec.run_dir)
    [job] = submit([spec], tmp_path / "jobs")
    run.path.rename(tmp_path / "unseen")
    subprocess.run(["scontrol", "release", job], check=True)
    wait_for(lambda: cluster.jobs([job])[job].has_ended)
    (tmp_path / "unseen").rename(run.path)
    assert followed(run, job) == 1
    result = run.read_result()
    assert result is not None
    assert result.error is not None
    assert result.error.startswith(f"job {job}: failed")
    assert result.error.endswith("before it wrote anything to the run directory; can the nodes see that?")


def test_a_job_that_slurm_has_forgotten_is_lost(make: Make) -> None:
    spec = make("run")
    run = RunDir(spec.run_dir)
    run.write_spec(spec)
    run.job.write_text('{"id": "4000000"}')
    assert (state(run).word, state(run).reason) == ("lost", "SLURM knows job 4000000 no longer, and it left no result")


@pytest.mark.parametrize(("commands", "word"), [("there", "unknown"), ("not there", "interrupted")])
def test_a_stopped_job_may_go_on_as_long_as_a_cluster_is_silent(
    make: Make, monkeypatch: pytest.MonkeyPatch, commands: str, word: str
) -> None:
    run = RunDir(make("run").run_dir)
    run.job.write_text('{"id": "4000000"}')
    run.write_result(TrainResult("interrupted", str(run.path)))
    assert state(run).word == "interrupted"  # SLURM answers that it knows no such job
    monkeypatch.setenv(*("SLURM_CONF", "/nowhere/slurm.conf") if commands == "there" else ("PATH", ""))
    assert state(run).word == word


def test_ctrl_c_once_lets_the_job_save(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    run, job = started(make("run", 1000))
    assert follow(SlurmLauncher, run, job, pressing(times=1)) == 75
    assert (run.checkpoints / "step").exists()
    assert capsys.readouterr().out.splitlines()[-1] == f"job {job}: interrupted"  # to SLURM it is FAILED


def test_ctrl_c_twice_cancels_the_job(make: Make) -> None:
    spec = make("run", command=(sys.executable, "-c", "import time; time.sleep(300)"))
    [job] = submit([spec], RunDir(spec.run_dir).submitted)
    run = RunDir(spec.run_dir)
    wait_for(lambda: run.read_manifest()["status"] == "running")
    assert follow(SlurmLauncher, run, job, pressing(times=2)) == 130
    wait_for(lambda: job_of(run).word == "cancelled")


def pressing(times: int) -> Callable[[], None]:
    """A tick at which somebody presses Ctrl-C, so often."""
    left = [None] * times

    def tick() -> None:
        if left:
            left.pop()
            raise KeyboardInterrupt

    return tick
