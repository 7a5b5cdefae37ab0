"""Runs that die and go on: what they come to is what they would have come to, bit for bit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_whole_algorithms import pair
from tests.workers.adapters.test_lora import lora
from tests.workers.adapters.test_osft import osf
from training_hub import checkpoints
from training_hub.errors import ConfigError
from training_hub.run import RunDir
from training_hub.workers.loop.progress import Progress
from training_hub.workers.trl import train

pytestmark = [
    pytest.mark.needs("trl", "torch", "peft"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # by PEFT
]
MakeRun = Callable[..., Any]

# 12 rows, 4 a step: 3 steps an epoch, 9 in all. The learning rate depends on the step; a row of metrics is two steps.
COURSE = {
    "num_train_epochs": 3, "lr_scheduler_type": "cosine", "warmup_steps": 2, "logging_steps": 2, "weight_decay": 0.1,
    "eval_strategy": "steps", "eval_steps": 3, "save_strategy": "steps", "save_steps": 2, "save_total_limit": 2,
}  # fmt: skip
DPO = {"_target_": "trl.DPOConfig", "beta": 0.1, "loss_type": ["sigmoid"], "loss_weights": None, "label_smoothing": 0.0}
CELLS: dict[str, dict[str, Any]] = {
    "sft": {"backend": {"save_dtype": "float32"}},
    "lora_sft": {"adapter": lora(lora_dropout=0.3)},
    "dora": {"adapter": lora(use_dora=True, lora_dropout=0.1)},
    "osft": {"adapter": osf(0.25), "backend": {"save_dtype": "float32"}},
    "dpo": {"recipe": DPO, "backend": {"packing": False, "save_dtype": "float32"}},
    "dpo with lora": {"recipe": DPO, "backend": {"packing": False}, "adapter": lora()},
}


class Death(BaseException):
    """What no handler expects."""


@pytest.fixture
def make(make_run: MakeRun, tmp_path: Path) -> MakeRun:
    """A run of one of the cells."""

    def run(cell: str, name: str, **recipe: Any) -> RunDir:
        changes = {key: dict(value) for key, value in CELLS[cell].items()}
        if "dpo" in cell:
            for part, numbers in (("path", range(12)), ("eval_path", range(100, 105))):
                file = tmp_path / f"{part}.jsonl"
                file.write_text("".join(json.dumps(pair(number)) + "\n" for number in numbers))
                changes.setdefault("data", {"accepts": ["preference"]})[part] = str(file)
        changes["recipe"] = COURSE | changes.get("recipe", {}) | recipe
        made: RunDir = make_run(name, **changes)
        return made

    return run


def die_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Die at the beginning of a step, counted from 1 on from here."""
    begin, left = Progress.on_step_begin, [step]

    def dying(self: Progress, *args: Any, **kwargs: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Death
        begin(self, *args, **kwargs)

    monkeypatch.setattr(Progress, "on_step_begin", dying)


def begin_and_die(run: RunDir, step: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        die_at(patched, step)
        with pytest.raises(Death):
            train(run, run.read_config())


def weights(run: RunDir) -> dict[str, Any]:
    from safetensors.torch import load_file

    [file] = run.final_checkpoint.glob("*.safetensors")
    return dict(load_file(file))


def rows(run: RunDir) -> list[dict[str, Any]]:
    """The metrics, without what depends on the clock."""
    clocked = ("seconds", "tokens_per_second")
    return [{key: value for key, value in row.items() if key not in clocked} for row in run.read_metrics()]


def same(run: RunDir, other: RunDir) -> bool:
    mine, others = weights(run), weights(other)
    return mine.keys() == others.keys() and all(bool((mine[name] == others[name]).all()) for name in mine)


@pytest.mark.parametrize("cell", CELLS)
def test_a_run_that_died_twice_ends_where_it_would_have(make: MakeRun, cell: str) -> None:
    whole, run = make(cell, "whole"), make(cell, "run")
    expected = train(whole, whole.read_config())["metrics"]
    begin_and_die(run, 4)  # at step 4: goes on from 2, in the first epoch
    begin_and_die(run, 6)  # 3, 4, 5, 6, 7, and dies at step 8: goes on from 6, where an epoch begins
    outcome = train(run, run.read_config())
    assert outcome["status"] == "completed"
    assert rows(run) == rows(whole)
    assert same(run, whole)
    clocked = {"tokens_per_second", "reference_seconds", "peak_memory_gb"}  # of this machine and time
    assert {key: outcome["metrics"][key] for key in outcome["metrics"].keys() - clocked} == {
        key: expected[key] for key in expected.keys() - clocked
    }


def test_a_run_that_was_stopped_where_it_would_have_evaluated_makes_up_for_it(make: MakeRun) -> None:
    whole, run = make("sft", "whole"), make("sft", "run")
    train(whole, whole.read_config())
    asked = Progress.on_step_begin
    with pytest.MonkeyPatch.context() as patched:

        def asking(self: Progress, *args: Any, **kwargs: Any) -> None:
            asked(self, *args, **kwargs)
            if self.samples == 8:  # in the third step, after which it evaluates
                run.request_stop()

        patched.setattr(Progress, "on_step_begin", asking)
        stopped = train(run, run.read_config())
    assert (stopped["status"], stopped["metrics"]["steps"]) == ("interrupted", 3)
    run.stop.unlink()
    assert train(run, run.read_config())["status"] == "completed"
    assert [row for row in rows(run) if row["eval_loss"]] == [row for row in rows(whole) if row["eval_loss"]]
    assert same(run, whole)


def test_a_death_in_the_middle_of_a_save_costs_one_interval(make: MakeRun) -> None:
    whole, run = make("sft", "whole"), make("sft", "run")
    train(whole, whole.read_config())
    with pytest.MonkeyPatch.context() as patched:
        publish, saves = checkpoints.publish, [None, None]

        def dying(unfinished: Path, place: Path) -> None:
            if not saves:
                raise Death
            saves.pop()
            publish(unfinished, place)

        patched.setattr(checkpoints, "publish", dying)
        with pytest.raises(Death):
            train(run, run.read_config())
    assert [path.name for path in checkpoints.saved(run)] == ["checkpoint-2", "checkpoint-4"]
    assert run.unfinished.exists()
    train(run, run.read_config())
    assert not run.unfinished.exists()
    assert rows(run) == rows(whole)
    assert same(run, whole)


@pytest.mark.parametrize(
    "name", ["optimizer.pt", "trainer_state.json", "scheduler.pt", "rng_state.pth", "progress.json"]
)
def test_a_checkpoint_that_lacks_a_file_is_set_aside_and_the_one_before_is_taken(
    make: MakeRun, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    whole, run = make("sft", "whole"), make("sft", "run")
    train(whole, whole.read_config())
    begin_and_die(run, 6)
    (run.checkpoint(4) / name).unlink()
    train(run, run.read_config())
    said = capfd.readouterr().out
    assert f"checkpoint-4: {name} is missing; nothing resumes from it, it is torn-checkpoint-4 now" in said
    assert f"resuming from step 2: {run.checkpoint(2)}" in said
    assert (run.checkpoints / "torn-checkpoint-4").is_dir()
    assert rows(run) == rows(whole)
    assert same(run, whole)


def test_a_run_whose_checkpoints_are_all_torn_begins_again(make: MakeRun) -> None:
    whole, run = make("sft", "whole"), make("sft", "run")
    train(whole, whole.read_config())
    begin_and_die(run, 6)
    for path in checkpoints.saved(run):
        (path / "model.safetensors").write_bytes(b"torn")
    train(run, run.read_config())
    assert rows(run) == rows(whole)
    assert same(run, whole)


def test_a_run_that_died_at_its_end_trains_nothing_more(make: MakeRun) -> None:
    whole, run = make("sft", "whole", save_steps=9), make("sft", "run", save_steps=9)
    train(whole, whole.read_config())
    with pytest.MonkeyPatch.context() as patched:

        def die(*_: Any) -> None:
            raise Death

        patched.setattr("training_hub.workers.models.save", die)
        with pytest.raises(Death):
            train(run, run.read_config())
    assert not run.final_checkpoint.exists()
    train(run, run.read_config())
    assert rows(run) == rows(whole)
    assert same(run, whole)


def test_no_more_checkpoints_are_kept_than_asked_for_and_none_is_torn(make: MakeRun) -> None:
    run = make("sft", "run", save_steps=1)
    train(run, run.read_config())
    assert [path.name for path in checkpoints.saved(run)] == ["checkpoint-8", "checkpoint-9"]
    assert all(checkpoints.fault_of(path, thorough=True) is None for path in checkpoints.saved(run))


def test_the_best_checkpoint_is_found_again_and_kept(make: MakeRun) -> None:
    best = {"save_strategy": "best", "load_best_model_at_end": True, "metric_for_best_model": "eval_loss"}
    run = make("sft", "run", eval_steps=1, **best, save_total_limit=1)
    train(run, run.read_config())
    [kept] = checkpoints.saved(run)
    state = json.loads((kept / "trainer_state.json").read_text())
    assert state["best_model_checkpoint"] == str(kept)
    assert state["best_global_step"] == state["global_step"]


def test_a_longer_run_goes_on_where_a_shorter_one_ended(make: MakeRun) -> None:
    run = make("sft", "run", lr_scheduler_type="constant", warmup_steps=0, save_steps=3)
    whole = make("sft", "whole", lr_scheduler_type="constant", warmup_steps=0, save_steps=3)
    config = run.read_config()
    config["recipe"]["num_train_epochs"] = 1
    assert train(run, config)["metrics"]["steps"] == 3
    train(run, run.read_config())
    train(whole, whole.read_config())
    assert same(run, whole)


def test_other_rows_are_refused(make: MakeRun, tmp_path: Path) -> None:
    run = make("sft", "run")
    begin_and_die(run, 4)
    file = tmp_path / "run.train.jsonl"
    file.write_text("".join(reversed(file.read_text().splitlines(keepends=True))))
    with pytest.raises(ConfigError, match=r"^data_path=\S+run.train.jsonl: not the rows that the run started with; "):
        train(run, run.read_config())


def test_an_end_that_is_behind_is_refused(make: MakeRun) -> None:
    run = make("sft", "run")
    begin_and_die(run, 6)
    config = run.read_config()
    config["recipe"]["max_steps"] = 3
    with pytest.raises(ConfigError, match="the run has trained 4 steps already, more than the 3 in all; give more"):
        train(run, config)


def test_a_run_can_be_moved(make: MakeRun, tmp_path: Path) -> None:
    whole, run = make("sft", "whole"), make("sft", "run")
    train(whole, whole.read_config())
    begin_and_die(run, 4)
    moved = RunDir(shutil.move(run.path, tmp_path / "elsewhere"))
    train(moved, moved.read_config())
    assert rows(moved) == rows(whole)
    assert same(moved, whole)
