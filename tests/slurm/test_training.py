"""Real trainings of a tiny model as jobs of a real SLURM, through the command line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.slurm.conftest import hub, job_of, wait_for
from tests.typed import beside
from tests.workers.conftest import conversation
from training_hub.results.state import state
from training_hub.run import RunDir

DIE = """\
import os, signal
from transformers import TrainerCallback


class Die(TrainerCallback):
    def on_step_end(self, args, state, control, **_):
        if os.environ["RANK"] == "1" and state.global_step == 2:
            os.kill(os.getpid(), signal.SIGKILL)
"""
pytestmark = [pytest.mark.usefixtures("slurm"), pytest.mark.slow, pytest.mark.needs("torch", "trl")]


@pytest.fixture(scope="module")
def settings(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What every run here has in common."""
    folder = tmp_path_factory.mktemp("rows")
    text = "".join(json.dumps(conversation(number)) + "\n" for number in range(12))
    (folder / "train.jsonl").write_text(text)
    return [
        f"model_path={tiny}", f"data_path={folder}/train.jsonl", "effective_batch_size=4", "lr=5e-3",
        "recipe.bf16=false", f"data.cache_dir={folder}/cache", "launcher=slurm",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def run(slurm: None, settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDir, str]:
    """A run in a folder with an odd name, submitted from a folder that is not the repository; and what was printed."""
    place = tmp_path_factory.mktemp("submitted from here")
    output = "out put/%j %% a'b\"c $HOME {x} ü"
    words = [f"output_dir={json.dumps(output, ensure_ascii=False)}", "sample_prompts=['say \"$HOME\" %j']"]
    done = hub(*settings, *words, cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    return RunDir(place / output), done.stdout


def losses(run: RunDir) -> list[float]:
    return [row["loss"] for row in run.read_metrics() if row["loss"] is not None]


def test_a_job_trains_and_is_followed(run: tuple[RunDir, str]) -> None:
    directory, output = run
    assert len(losses(directory)) == 3
    assert directory.final_checkpoint.is_dir()
    job = job_of(directory)
    assert job.word == "completed"
    for text in (f"job {job.id}: running on node", "step 3/3  loss ", "completed in"):
        assert text in output


def test_odd_characters_reach_the_run_as_they_were_typed(run: tuple[RunDir, str]) -> None:
    directory, _ = run
    assert {sample["prompt"] for sample in directory.read_samples()} == {'say "$HOME" %j'}
    assert "job " in directory.log.read_text().splitlines()[0]


def test_two_nodes_with_two_processes_each_give_the_losses_of_one(
    run: tuple[RunDir, str], settings: list[str], tmp_path: Path
) -> None:
    done = hub(*settings, "nodes=2", "nproc_per_node=2", "output_dir=out", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    directory = RunDir(tmp_path / "out")
    assert losses(directory) == pytest.approx(losses(run[0]), abs=1e-5)
    assert directory.read_manifest()["nodes"].startswith("node[")
    assert directory.read_manifest()["world_size"] == 4


def test_a_training_that_fails_is_a_failed_job(settings: list[str], tmp_path: Path) -> None:
    done = hub(*beside(settings, ["lr=1e30", "max_grad_norm=0", "output_dir=out"]), cwd=tmp_path)
    directory = RunDir(tmp_path / "out")
    assert done.returncode == 1
    assert "=nan: not a number at step" in done.stderr.splitlines()[0]
    assert done.stderr.splitlines()[-1] == f"  whole log: {directory.log}"
    assert "Traceback" in directory.log.read_text()
    assert (job_of(directory).word, state(directory).word) == ("failed", "failed")


def test_a_process_that_is_killed_on_another_node_is_named(
    settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hub_test_die.py").write_text(DIE)
    monkeypatch.setenv("TRAINING_HUB_TARGETS", "hub_test_die")
    done = hub(*settings, "nodes=2", "callbacks.die._target_=hub_test_die.Die", "output_dir=out", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{tmp_path / 'out'}: the run failed: rank 1 was killed by SIGKILL; unless "), done
    assert "ChildFailedError" not in done.stderr
    assert state(RunDir(tmp_path / "out")).reason.startswith("rank 1 was killed by SIGKILL")


def test_a_run_that_is_preempted_goes_on_to_the_same_numbers(
    settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another job takes the node; SLURM queues this one again by itself."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    long = [*settings, "num_epochs=100"]
    started = hub(*long, "output_dir=out", "wait=false", "launcher.sbatch.nodelist=node1", cwd=tmp_path)
    assert started.returncode == 0, started.stderr
    run = RunDir(tmp_path / "out")
    wait_for(lambda: len(losses(run)) > 10)
    subprocess.run(["srun", "-p", "high", "-w", "node1", "--exclusive", "--mpi=none", "true"], check=True)
    alone = hub(*beside(long, ["output_dir=alone", "launcher=local"]), cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    wait_for(lambda: not state(run).goes_on)
    assert state(run).word == "completed", run.log_tail()
    assert run.read_manifest()["restarts"] == 1
    assert losses(run) == losses(RunDir(tmp_path / "alone"))
