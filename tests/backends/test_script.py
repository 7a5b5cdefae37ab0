"""The parts of a script's worker, each by itself."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training_hub.checkpoints import latest_checkpoint
from training_hub.errors import ConfigError, RunFailed
from training_hub.run import RunDir
from training_hub.workers.instructlab_training import InstructLabTraining
from training_hub.workers.mini_trainer import MiniTrainer
from training_hub.workers.script import checkpoints, rows, run_loop
from training_hub.workers.script.follow import Follower
from training_hub.workers.script.process import Script, machine, trigger_name
from training_hub.workers.script.states import States

MINI = {
    "_target_": "mini_trainer.train", "max_tokens_per_gpu": 64, "batch_size": 4, "max_epochs": 2, "max_steps": 0,
    "training_mode": "epoch", "save_final_checkpoint": True,
}  # fmt: skip
INSTRUCTLAB = {
    "_target_": "instructlab.training.main_ds", "max_batch_len": 64, "num_epochs": 3, "effective_batch_size": 5,
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run directory with the library's folder in it."""
    run = RunDir(tmp_path / "run")
    run.library.mkdir(parents=True)
    run.checkpoints.mkdir()
    return run


def logged(step: int, loss: float = 5.0) -> str:
    """A line of mini-trainer's metrics."""
    line = {
        "step": step, "steps_per_epoch": 4, "lr": 0.1, "grad_norm": 1.0, "loss": loss, "num_total_tokens": 30.0,
        "batch_num_loss_counted_tokens": 10, "time_per_batch": 2.0, "total_samples_accumulated": 8.0 * step,
        "timestamp": f"2026-01-01T00:00:{2 * step:02}",
    }  # fmt: skip
    return json.dumps(line) + "\n"


def test_metrics_are_carried_over_line_by_line(run: RunDir) -> None:
    follower = Follower(run, MiniTrainer(MINI))
    file = run.library / "training_metrics_0.jsonl"
    follower.poll()
    file.write_text(logged(1) + logged(2)[:20])
    follower.poll()
    assert follower.step == 1
    file.write_text(logged(1) + logged(2) + logged(3))
    follower.poll()
    found = run.read_metrics()
    assert [row["step"] for row in found] == [1, 2, 3]
    assert [row["tokens"] for row in found] == [30, 60, 90]
    assert [row["seconds"] for row in found] == [2.0, 4.0, 6.0]
    assert [row["epoch"] for row in found] == [0.25, 0.5, 0.75]
    assert found[0]["tokens_per_second"] == 15.0
    assert follower.final(3) == {
        "steps": 3, "tokens": 90, "first_loss": 5.0, "final_loss": 5.0, "tokens_per_second": 15.0,
    }  # fmt: skip


def test_a_loss_that_is_no_number_ends_the_run(run: RunDir) -> None:
    (run.library / "training_metrics_0.jsonl").write_text(logged(1) + logged(2, float("nan")))
    with pytest.raises(RunFailed, match="loss=nan: not a number at step 2; lower lr"):
        Follower(run, MiniTrainer(MINI)).poll()
    assert len(run.read_metrics()) == 1


@pytest.mark.parametrize(
    ("library", "steps"),
    [
        (MiniTrainer(MINI), 6),
        (MiniTrainer(MINI | {"training_mode": "step", "max_steps": 7}), 7),
        (MiniTrainer(MINI | {"training_mode": "token"}), 0),
        (InstructLabTraining(INSTRUCTLAB), 6),
    ],
)
def test_the_steps_are_counted_before_the_script_starts(library: Any, steps: int) -> None:
    assert library.total_steps(10) == steps


def test_a_row_that_the_library_would_leave_out_is_refused() -> None:
    np = pytest.importorskip("numpy")

    class Part:
        lengths = np.array([3, 65])

    class Data:
        train, eval = Part(), None

    expected = "max_tokens_per_gpu=64: the longest row has 65 tokens, and mini-trainer would leave it out; "
    with pytest.raises(ConfigError, match=expected):
        run_loop.fits(Data(), MiniTrainer(MINI))  # type: ignore[arg-type]


def test_the_first_token_of_a_row_is_not_trained() -> None:
    np = pytest.importorskip("numpy")
    ids = np.array([5, 6, 7], np.int32)
    [line] = rows._lines([(ids, ids)])
    assert json.loads(line) == {
        "input_ids": [5, 6, 7], "labels": [-100, 6, 7], "len": 3, "num_loss_counted_tokens": 2,
    }  # fmt: skip


HEADER = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
WEIGHTS = len(HEADER).to_bytes(8, "little") + HEADER + bytes(8)


def save(run: RunDir, *names: str) -> None:
    for name in names:
        (run.library / "hf_format" / name).mkdir(parents=True)
        (run.library / "hf_format" / name / "config.json").write_text(name)
        (run.library / "hf_format" / name / "model.safetensors").write_bytes(WEIGHTS)


@pytest.mark.parametrize(
    ("names", "last"),
    [
        (["samples_80.0", "samples_120.0", "samples_9.0"], "samples_120.0"),
        (["samples_80.0_best_val_loss", "samples_80.0"], "samples_80.0"),
        (["samples_400", "last_epoch"], "last_epoch"),
    ],
)
def test_the_last_checkpoint_becomes_the_final_one(run: RunDir, names: list[str], last: str) -> None:
    save(run, *names)
    assert checkpoints.gather(run, ended=True) == run.final_checkpoint
    assert (run.final_checkpoint / "config.json").read_text() == last
    assert {path.name for path in run.checkpoints.iterdir()} == {"final", *names} - {last}


def test_a_run_that_did_not_end_has_no_final_checkpoint(run: RunDir) -> None:
    save(run, "samples_4", "samples_8")
    assert checkpoints.gather(run, ended=False) == run.checkpoints / "samples_8"
    assert not run.final_checkpoint.exists()


CUT = {"no file": None, "no size": WEIGHTS[:4], "no header": WEIGHTS[:40], "no end": WEIGHTS[:-1]}


@pytest.mark.parametrize("written", CUT.values(), ids=CUT)
def test_a_model_whose_saving_was_cut_short_is_no_checkpoint(run: RunDir, written: bytes | None) -> None:
    save(run, "samples_4", "samples_8")
    weights = run.library / "hf_format" / "samples_8" / "model.safetensors"
    weights.unlink() if written is None else weights.write_bytes(written)
    assert checkpoints.gather(run, ended=False) == run.checkpoints / "samples_4"


def test_a_model_that_lacks_a_part_is_no_checkpoint(run: RunDir) -> None:
    save(run, "samples_4")
    index = {"weight_map": {"w": "model.safetensors", "v": "model-00002-of-00002.safetensors"}}
    (run.library / "hf_format" / "samples_4" / "model.safetensors.index.json").write_text(json.dumps(index))
    assert checkpoints.gather(run, ended=False) is None


def test_a_run_that_saved_nothing_has_no_checkpoint(run: RunDir) -> None:
    assert checkpoints.gather(run, ended=True) is None


def test_what_an_earlier_script_left_is_removed_and_nothing_else(run: RunDir) -> None:
    (run.library / "full_state").mkdir()
    (run.checkpoints / "kept").mkdir()
    checkpoints.clear(run)
    assert list(run.library.iterdir()) == []
    assert (run.checkpoints / "kept").exists()


def instructlab(step: int, per_epoch: int = 2) -> str:
    """A line of instructlab-training's metrics, of a step since its script began."""
    line = {
        "step": step, "num_epoch_steps": per_epoch, "lr": 0.1 * step, "gradnorm": None, "avg_loss": 1 / step,
        "num_tokens_rank0": 30, "num_loss_counted_tokens": 10, "batch_size": 5, "overall_throughput": 2.5,
        "samples_seen": 5 * step, "timestamp": f"2026-01-01T00:00:{2 * step:02}",
    }  # fmt: skip
    return json.dumps(line) + "\n"


def full_state(run: RunDir, epoch: int, *names: str) -> None:
    """What instructlab-training's script saves at the end of an epoch, as far as it got."""
    folder = run.library / "full_state" / f"epoch_{epoch}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        with zipfile.ZipFile(folder / name, "w") as file:
            file.writestr("data", "numbers")


def states(run: RunDir, limit: int | None = None) -> States:
    source = {"path": "rows.jsonl", "fingerprint": "f", "seen": {}, "chat_template": None}
    report = {"train": {**source, "rows": 10, "tokens": 60, "trained_tokens": 20}, "eval": None}
    config = {"launcher": {"world_size": 2}, "data": {"path": "rows.jsonl"}, "backend": {"save_total_limit": limit}}
    library = InstructLabTraining(INSTRUCTLAB)
    return States(run, config, library, Follower(run, library), report)


STATE = ("optimizer.bin", "random_states_0.pkl", "random_states_1.pkl", "training_metadata.json")


def test_a_full_state_becomes_a_checkpoint_when_every_process_has_written_its_part(run: RunDir) -> None:
    script, log = states(run), run.library / InstructLabTraining.metrics
    log.write_text(instructlab(1) + instructlab(2))
    for number in range(len(STATE)):
        full_state(run, 0, *STATE[:number])
        script.poll()
        assert latest_checkpoint(run).newest is None
    full_state(run, 0, *STATE)
    script.poll()
    found = latest_checkpoint(run, thorough=True).newest
    assert found is not None
    assert (found.step, found.facts["epochs"], found.facts["rows"]["rows"]) == (2, 1, 10)


def test_a_full_state_in_the_middle_of_an_epoch_is_no_checkpoint(run: RunDir) -> None:
    script = states(run)
    (run.library / InstructLabTraining.metrics).write_text(instructlab(1))
    full_state(run, 0, *STATE)
    script.poll()
    assert latest_checkpoint(run).newest is None


def test_no_more_full_states_are_kept_than_asked_for(run: RunDir) -> None:
    script, text = states(run, limit=1), ""
    for epoch in range(3):
        text += instructlab(2 * epoch + 1) + instructlab(2 * epoch + 2)
        (run.library / InstructLabTraining.metrics).write_text(text)
        full_state(run, epoch, *STATE)
        script.poll()
    assert [path.name for path in run.checkpoints.iterdir()] == ["checkpoint-6"]


def test_a_script_that_goes_on_finds_the_state_and_what_was_counted(run: RunDir) -> None:
    before, log = states(run), run.library / InstructLabTraining.metrics
    log.write_text(instructlab(1) + instructlab(2))
    full_state(run, 0, *STATE)
    before.poll()
    log.write_text(instructlab(1) + instructlab(2) + instructlab(3))  # and dies
    before.poll()
    save(run, "samples_10", "samples_15")
    checkpoint = checkpoints.begin(run)
    assert (run.checkpoints / "samples_10").is_dir()
    assert not (run.checkpoints / "samples_15").exists()
    after = states(run)
    after.go_on(checkpoint, 6)
    assert {path.name for path in (run.library / "full_state" / "epoch_0").iterdir()} >= set(STATE)
    log.write_text(instructlab(1) + instructlab(2))
    after.poll()
    found = run.read_metrics()
    assert [row["step"] for row in found] == [1, 2, 3, 4]
    assert [row["epoch"] for row in found] == [0.5, 1, 1.5, 2]
    assert [row["tokens"] for row in found] == [30, 60, 90, 120]
    assert [row["seconds"] for row in found] == [2, 4, 6, 8]
    assert [row["lr"] for row in found][1:3] == [0.1, 0.2]


def test_a_run_that_has_no_state_begins_again(run: RunDir) -> None:
    run.append_metrics(step=1, loss=1.0)
    full_state(run, 0, *STATE)
    assert checkpoints.begin(run) is None
    assert run.read_metrics() == []
    assert list(run.library.iterdir()) == []


LOG = """[rank0]: Traceback (most recent call last):
[rank0]:   File "train.py", line 3, in main
[rank0]: RuntimeError:
[rank0]:      Some tensors share memory
[rank0]:
Traceback (most recent call last):
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
"""


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (LOG, "RuntimeError: Some tensors share memory"),
        (
            LOG.replace("RuntimeError:\n[rank0]:     ", "torch.OutOfMemoryError: "),
            "torch.OutOfMemoryError: Some tensors ",
        ),
        ("killed\n", "see the log"),
    ],
)
def test_the_cause_of_a_failure_is_the_scripts_own_exception(run: RunDir, log: str, expected: str) -> None:
    run.log.write_text(log)
    assert run_loop.cause(run).startswith(expected)


def nothing() -> None:
    pass


@pytest.fixture
def start(run: RunDir) -> Callable[..., Script]:
    """A script of the shell's in place of torchrun."""
    return lambda code, on_demand=False: Script(run, ["sh", "-c", code], {"PATH": "/usr/bin:/bin"}, on_demand)


def test_a_script_ends_with_its_status(start: Callable[..., Script]) -> None:
    assert start("exit 3").follow(nothing) == (False, 3)


def test_the_stop_file_terminates_a_script(run: RunDir, start: Callable[..., Script]) -> None:
    run.request_stop()
    assert start("sleep 60").follow(nothing) == (True, -15)


def test_a_script_that_saves_on_demand_is_asked_through_its_own_file(run: RunDir, start: Callable[..., Script]) -> None:
    run.request_stop()
    script = start('while [ ! -e /dev/shm/"$CHECKPOINT_TRIGGER_FILENAME" ]; do sleep 0.1; done', on_demand=True)
    assert script.follow(nothing) == (True, 0)
    assert not script.trigger.exists()


def test_an_error_while_following_ends_the_script(start: Callable[..., Script]) -> None:
    with pytest.raises(ZeroDivisionError):
        start("sleep 60").follow(lambda: 1 // 0)


def test_a_worker_that_is_killed_takes_its_script_along(run: RunDir) -> None:
    code = (
        "from training_hub.run import RunDir; from training_hub.workers.script.process import Script\n"
        f"Script(RunDir({str(run.path)!r}), ['sh', '-c', 'echo $$; exec sleep 60'], {{}}, False).follow(lambda: None)"
    )
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    script = Path("/proc") / worker.stdout.readline().strip()
    deadline = time.monotonic() + 5
    while "sleep" not in (script / "cmdline").read_text() and time.monotonic() < deadline:
        time.sleep(0.01)  # between two programs a process has no command line
    worker.kill()
    worker.communicate()
    deadline = time.monotonic() + 5
    while script.exists() and "sleep" in (script / "cmdline").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not script.exists() or (script / "cmdline").read_text() == ""  # gone, or dead and not yet buried


def test_every_run_has_a_trigger_of_its_own(tmp_path: Path) -> None:
    assert trigger_name(RunDir(tmp_path / "a")) != trigger_name(RunDir(tmp_path / "b"))


def test_the_number_of_the_machine_is_torchruns() -> None:
    assert machine(["python", "-m", "torch.distributed.run", "--nnodes=2", "--node-rank=1", "-m", "x"]) == 1
    assert machine(["python", "-m", "torch.distributed.run", "--standalone"]) == 0
