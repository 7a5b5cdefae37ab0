"""Whole runs of a tiny model through the real command line, compared by loss values."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.typed import beside
from tests.workers.conftest import conversation
from training_hub.metrics import CORE
from training_hub.results.state import State, state
from training_hub.run import RunDir

# Losses of the first steps, in fp32; another processor's rounding changes the fifth digit.
RECORDED = [5.7708, 5.5127, 5.3029]
RECORDED_EVAL = [5.7857, 5.2378]


@dataclass(frozen=True)
class Run:
    """A finished run and what it printed."""

    directory: RunDir
    status: int
    output: str
    errors: str

    @property
    def losses(self) -> list[float]:
        return [row["loss"] for row in self.directory.read_metrics() if row["loss"] is not None]

    @property
    def eval_losses(self) -> list[float]:
        return [row["eval_loss"] for row in self.directory.read_metrics() if row["eval_loss"] is not None]


@pytest.fixture(scope="session")
def settings(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What every run here has in common."""
    folder = tmp_path_factory.mktemp("rows")
    for name, numbers in (("train", range(12)), ("eval", range(100, 105))):
        text = "".join(json.dumps(conversation(number)) + "\n" for number in numbers)
        (folder / f"{name}.jsonl").write_text(text)
    return [
        f"model_path={tiny}", f"data_path={folder}/train.jsonl", f"eval_data_path={folder}/eval.jsonl",
        "effective_batch_size=4", "lr=5e-3", "recipe.bf16=false", f"data.cache_dir={folder}/cache",
    ]  # fmt: skip


Train = Callable[..., Run]


@pytest.fixture(scope="session")
def train(settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Run `python -m training_hub` with the common settings and further ones, or others in place of these."""

    def run(*words: str, **env: str) -> Run:
        folder = tmp_path_factory.mktemp("run") / "out"
        command = [sys.executable, "-m", "training_hub", *beside([*settings, f"output_dir={folder}"], words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **env})
        return Run(RunDir(folder), done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def run(train: Train) -> Run:
    """One run that many tests look at."""
    return train("sample_prompts=['count 3 words']")


def test_it_ends_well_and_says_nothing_on_stderr(run: Run) -> None:
    assert (run.status, run.errors) == (0, "")


def test_losses_of_the_first_steps_are_the_recorded_ones(run: Run) -> None:
    assert [*run.losses, *run.eval_losses] == pytest.approx([*RECORDED, *RECORDED_EVAL], abs=1e-3)


def test_the_same_config_and_seed_give_the_same_losses(run: Run, train: Train) -> None:
    again = train("sample_prompts=['count 3 words']")
    assert (again.losses, again.eval_losses) == (run.losses, run.eval_losses)


def test_another_seed_gives_other_losses(run: Run, train: Train) -> None:
    other = train("seed=1")
    assert (other.status, len(other.losses)) == (0, len(run.losses))
    assert other.losses != run.losses


def test_every_file_of_the_run_directory_is_there(run: Run) -> None:
    names = {path.name for path in run.directory.path.iterdir()}
    assert names == {
        "config.yaml", "overrides.yaml", "manifest.json", "metrics.jsonl", "samples.jsonl", "train.log", "result.json",
        "loss.png", "checkpoints", ".lock", ".seal",
    }  # fmt: skip


def test_metrics_have_one_schema(run: Run) -> None:
    assert all(tuple(row) == tuple(CORE) for row in run.directory.read_metrics())
    steps = [row["step"] for row in run.directory.read_metrics() if row["loss"] is not None]
    assert steps == [1, 2, 3]


def test_the_result_is_typed_and_complete(run: Run) -> None:
    result = run.directory.read_result()
    assert result is not None
    assert result.status == "completed"
    assert result.metrics["first_loss"] == run.losses[0]
    assert result.metrics["final_loss"] == run.losses[-1]
    assert (result.metrics["eval_loss_before"], result.metrics["eval_loss_after"]) == tuple(run.eval_losses)
    assert result.metrics["steps"] == 3
    assert result.duration_s > 0


def test_the_checkpoint_loads_and_has_learnt(run: Run, tiny: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    result = run.directory.read_result()
    assert result is not None
    assert result.checkpoint_path
    before, after = (AutoModelForCausalLM.from_pretrained(path).state_dict() for path in (tiny, result.checkpoint_path))
    assert before.keys() == after.keys()
    assert any((before[name] != after[name]).any() for name in before)
    assert AutoTokenizer.from_pretrained(result.checkpoint_path).chat_template


def test_the_manifest_tells_where_the_run_came_from(run: Run) -> None:
    manifest = run.directory.read_manifest()
    assert manifest["status"] == "completed"
    assert (manifest["algorithm"], manifest["backend"]) == ("sft", "trl")
    assert manifest["versions"]["torch"]
    assert manifest["resolved"]["use_cpu"] in (True, False)
    assert manifest["data"]["train"]["rows_kept"] == 12
    assert len(manifest["model"]["sha256"]) == 64
    assert manifest["machine"]["cores"] >= 1


def test_the_summary_says_what_came_out_and_where(run: Run) -> None:
    for text in ("completed in", "loss", "eval loss", "before: count 3 words", "after: count 3 words"):
        assert text in run.output
    for path in (run.directory.final_checkpoint, run.directory.loss_plot, run.directory.log, run.directory.path):
        assert str(path) in run.output


def test_progress_is_plain_lines_where_there_is_no_terminal(run: Run) -> None:
    assert "\x1b" not in run.output
    assert "step 3/3  loss " in run.output


def test_the_loss_plot_is_a_picture(run: Run) -> None:
    assert run.directory.loss_plot.read_bytes().startswith(b"\x89PNG")


def test_packing_changes_no_loss(run: Run, train: Train) -> None:
    assert train("packing=false").losses == pytest.approx(run.losses, abs=1e-5)


def test_small_micro_batches_change_no_loss(run: Run, train: Train) -> None:
    assert train("max_tokens_per_gpu=40", "max_seq_len=40").losses == pytest.approx(run.losses, abs=1e-5)


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(run: Run, train: Train) -> None:
    two = train("nproc_per_node=2")
    assert two.status == 0, two.errors
    assert two.losses == pytest.approx(run.losses, abs=1e-5)
    assert two.eval_losses == pytest.approx(run.eval_losses, abs=1e-5)
    assert two.directory.read_manifest()["world_size"] == 2


def test_python_takes_the_same_path(run: Run, settings: list[str], tmp_path: Path) -> None:
    given = dict(word.split("=", 1) for word in settings)
    paths = {name: given[name] for name in ("model_path", "data_path", "eval_data_path")}
    code = (
        "from training_hub import sft\n"
        f"result = sft(**{paths!r}, ckpt_output_dir={str(tmp_path / 'out')!r}, learning_rate=5e-3,\n"
        f"    effective_batch_size=4, recipe={{'bf16': False}}, data={{'cache_dir': {given['data.cache_dir']!r}}})\n"
        "print(type(result).__name__, result.status, result.checkpoint_path)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"TrainResult completed {tmp_path}/out/checkpoints/final"
    losses = [row["loss"] for row in RunDir(tmp_path / "out").read_metrics() if row["loss"] is not None]
    assert losses == run.losses


def test_a_setting_that_proves_wrong_in_the_worker_is_told_without_the_log(train: Train) -> None:
    failed = train("max_seq_len=8", "data.too_long=error")
    fault, where = failed.errors.splitlines()
    assert (failed.status, where) == (2, f"  whole log: {failed.directory.log}")
    assert fault.startswith("data_path=")
    assert "max_seq_len=8: raise it" in fault
    result = failed.directory.read_result()
    assert result is not None
    assert (result.status, failed.directory.read_manifest()["status"]) == ("failed", "failed")


def test_a_run_that_fails_shows_the_end_of_its_log(train: Train) -> None:
    failed = train("lr=1e30", "max_grad_norm=0")
    assert failed.status == 1
    first, *tail, where = failed.errors.splitlines()
    assert "=nan: not a number at step" in first
    assert "RunFailed" in tail[-1]
    assert where == f"  whole log: {failed.directory.log}"


def test_an_existing_run_is_started_anew_only_when_told_to(run: Run, train: Train) -> None:
    again = train(f"output_dir={run.directory.path}")
    assert again.status == 2
    assert again.errors.startswith(f"output_dir={run.directory.path}: ")


def start(words: list[str], folder: Path) -> subprocess.Popen[str]:
    """A run that takes long enough to be stopped."""
    command = [sys.executable, "-m", "training_hub", *words, "num_epochs=200", f"output_dir={folder}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for(condition: Callable[[], Any], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_asked_to_stop_saves_its_state(
    number: signal.Signals, settings: list[str], tmp_path: Path
) -> None:
    run = RunDir(tmp_path / "out")
    process = start(settings, run.path)
    wait_for(lambda: len(run.read_metrics()) > 3)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 75, errors
    assert errors == f"{run.path}: stopped before its end; go on with it: python -m training_hub resume {run.path}\n"
    assert run.read_manifest()["status"] == "interrupted"
    assert list(run.checkpoints.glob("*/optimizer.pt"))
    assert workers_of(run) == []


def test_a_worker_that_is_killed_is_a_failed_run(settings: list[str], tmp_path: Path) -> None:
    run = RunDir(tmp_path / "out")
    process = start(settings, run.path)
    wait_for(lambda: len(run.read_metrics()) > 3)
    os.kill(workers_of(run)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the worker was killed by SIGKILL" in errors
    assert run.read_manifest()["status"] == "failed"


def test_of_several_workers_the_one_that_is_killed_is_named(settings: list[str], tmp_path: Path) -> None:
    run = RunDir(tmp_path / "out")
    process = start([*settings, "nproc_per_node=2"], run.path)
    wait_for(lambda: len(run.read_metrics()) > 3)
    os.kill(max(workers_of(run)), signal.SIGKILL)  # torchrun starts them in the order of their ranks
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    cause = "rank 1 was killed by SIGKILL; unless somebody did that, memory was short"
    assert errors.startswith(f"{run.path}: the run failed: {cause}\n")
    assert "ChildFailedError" not in errors
    assert state(run) == State("failed", cause)


def test_a_worker_does_not_outlive_its_launcher(settings: list[str], tmp_path: Path) -> None:
    run = RunDir(tmp_path / "out")
    process = start(settings, run.path)
    wait_for(lambda: len(run.read_metrics()) > 3)
    process.kill()
    process.communicate()
    wait_for(lambda: not workers_of(run), 60)


def test_two_ctrl_c_leave_no_process_of_several(settings: list[str], tmp_path: Path) -> None:
    run = RunDir(tmp_path / "out")
    process = start([*settings, "nproc_per_node=2"], run.path)
    wait_for(lambda: len(workers_of(run)) == 3)  # torchrun and its two
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    process.communicate(timeout=60)
    left = workers_of(run)
    for number in left:
        os.kill(number, signal.SIGKILL)
    assert (process.returncode, left) == (130, [])
    assert run.read_manifest()["status"] == "interrupted"


def workers_of(run: RunDir) -> list[int]:
    """Process numbers of the workers of a run."""
    found = subprocess.run(
        ["pgrep", "-f", f"training_hub.worker {run.path}"], capture_output=True, text=True, check=False
    )
    return [int(number) for number in found.stdout.split()]


def test_on_a_terminal_there_is_a_progress_bar(settings: list[str], tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "training_hub", *settings, f"output_dir={tmp_path / 'out'}"]
    process = subprocess.Popen(command, stdout=follower, stderr=follower, env={**os.environ, "COLUMNS": "160"})
    os.close(follower)
    shown = b""
    try:
        while chunk := os.read(leader, 65536):
            shown += chunk
    except OSError:  # the other side is closed
        pass
    assert process.wait() == 0
    assert "training" in shown.decode()
    assert "3/3" in shown.decode()
    assert "tokens/s" in shown.decode()
