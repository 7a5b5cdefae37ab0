"""Callbacks in the worker: called at the right moments, and what they ask for is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training_hub.errors import ConfigError, RunFailed
from training_hub.run import RunDir
from training_hub.workers.trl import train

Make = Callable[..., RunDir]
STOPPING = "training_hub.callbacks.EarlyStopping"


def outcome(run: RunDir, **callbacks: dict[str, Any]) -> dict[str, Any]:
    """What training with these callbacks comes to."""
    return train(run, run.read_config() | {"callbacks": callbacks})


def asking(hook: str, step: int, wish: str) -> dict[str, Any]:
    return {"_target_": "tests.workers.called.Asking", "hook": hook, "step": step, "wish": wish}


def test_every_hook_is_called_at_its_moment(make_run: Make, tmp_path: Path) -> None:
    recorder = {"_target_": "tests.workers.called.Recorder", "file": str(tmp_path / "heard")}
    run = make_run(rows=8, recipe={"save_strategy": "epoch"})
    outcome(run, mine=recorder)
    heard = [line.split() for line in (tmp_path / "heard").read_text().splitlines()]
    assert [(hook, step) for hook, step, *_ in heard] == [
        ("on_train_begin", "0/2"), ("on_log", "0/2"), ("on_evaluate", "0/2"), ("on_epoch_begin", "0/2"),
        ("on_step_begin", "0/2"), ("on_step_end", "1/2"), ("on_log", "1/2"),
        ("on_step_begin", "1/2"), ("on_step_end", "2/2"), ("on_log", "2/2"),
        ("on_epoch_end", "2/2"), ("on_save", "2/2"), ("on_log", "2/2"), ("on_train_end", "2/2"),
        ("on_log", "2/2"), ("on_evaluate", "2/2"),
    ]  # fmt: skip
    logged = (tmp_path / "heard").read_text()
    assert "on_evaluate 0/2 ['epoch', 'eval_loss']" in logged
    assert "on_log 1/2 ['epoch', 'grad_norm', 'learning_rate', 'loss']" in logged


@pytest.mark.parametrize("hook", ["on_step_end", "on_log"])
def test_a_callback_stops_the_run_which_is_completed_then(make_run: Make, hook: str) -> None:
    run = make_run(rows=16, recipe={"logging_steps": 1})
    ended = outcome(run, gate=asking(hook, 2, "should_training_stop"))
    assert (ended["status"], ended["metrics"]["steps"]) == ("completed", 2)
    assert ended["stopped"] == "callbacks.gate: it asked for it"
    assert Path(ended["checkpoint_path"]).is_dir()


def test_the_last_step_before_a_stop_has_a_row(make_run: Make) -> None:
    run = make_run(rows=40, recipe={"logging_steps": 5, "eval_strategy": "steps", "eval_steps": 3})
    outcome(run, gate=asking("on_evaluate", 3, "should_training_stop"))
    assert [row["step"] for row in run.read_metrics() if row["loss"] is not None] == [3]


def test_a_checkpoint_and_an_evaluation_that_are_asked_for_are_made(make_run: Make) -> None:
    run = make_run(rows=16)
    outcome(run, a=asking("on_log", 1, "should_save"), b=asking("on_step_end", 2, "should_evaluate"))
    assert sorted(path.name for path in run.checkpoints.glob("checkpoint-*")) == ["checkpoint-1"]
    assert [row["step"] for row in run.read_metrics() if row["eval_loss"] is not None] == [0, 2, 4]


def test_what_is_asked_for_too_late_in_a_step_is_done_in_the_next(make_run: Make) -> None:
    run = make_run(rows=16)
    outcome(run, a=asking("on_log", 1, "should_save"), b=asking("on_save", 1, "should_save"))
    assert sorted(path.name for path in run.checkpoints.glob("checkpoint-*")) == ["checkpoint-1", "checkpoint-2"]


def test_an_evaluation_without_held_out_rows_is_refused(make_run: Make) -> None:
    run = make_run(rows=8, data={"eval_path": None})
    with pytest.raises(RunFailed, match="asks for an evaluation, and there are no held-out rows"):
        outcome(run, a=asking("on_log", 1, "should_evaluate"))


def test_a_callback_that_raises_fails_the_run(make_run: Make) -> None:
    with pytest.raises(RunFailed, match=r"^callbacks.gate: on_step_end: ValueError: loss None at step 1$"):
        outcome(make_run(rows=8, data={"eval_path": None}), gate={"_target_": "tests.workers.called.Failing"})


@pytest.mark.parametrize(
    ("node", "text"),
    [
        ({"_target_": "tests.workers.called.NoCallback"}, "no training_hub.TrainingHubCallback; derive it from that"),
        ({"_target_": "tests.workers.called.Recorder"}, "TypeError: .*missing 1 required positional argument: 'file'"),
        ({"_target_": "tests.workers.called.Nothing"}, "no such class"),
    ],
)
def test_what_cannot_be_made_is_a_fault_before_the_model_is_read(
    make_run: Make, node: dict[str, Any], text: str
) -> None:
    run = make_run(model={"path": "/no/such/model"})
    with pytest.raises(ConfigError, match=text):
        outcome(run, mine=node)


def test_a_callback_of_transformers_is_the_trainers_own(make_run: Make) -> None:
    assert outcome(make_run(rows=16), its={"_target_": "tests.workers.called.OfTransformers"})["metrics"]["steps"] == 1


def test_a_callback_goes_on_with_its_state(make_run: Make) -> None:
    run = make_run(rows=16, recipe={"save_strategy": "steps", "save_steps": 3})
    counting = {"_target_": "tests.workers.called.Counting"}
    for _life in range(2):
        with pytest.raises(RunFailed, match="RuntimeError: 4 steps"):
            outcome(run, counting=counting)


def test_early_stopping_keeps_the_best_and_says_why(make_run: Make) -> None:
    recipe = {"learning_rate": 0.3, "num_train_epochs": 20, "eval_strategy": "steps", "eval_steps": 1}
    run = make_run(rows=8, recipe=recipe | {"save_total_limit": 1})
    ended = outcome(run, early_stopping={"_target_": STOPPING, "patience": 3})
    losses = {row["step"]: row["eval_loss"] for row in run.read_metrics() if row["eval_loss"] is not None}
    best = min(losses, key=lambda step: losses[step])
    assert ended["metrics"]["steps"] == best + 3 < 40
    assert ended["best_checkpoint_path"] == str(run.checkpoint(best))
    expected = f"eval_loss has not improved on {losses[best]:.6g} (step {best}) in 3 measurements"
    assert ended["stopped"] == f"callbacks.early_stopping: {expected}"


def test_patience_is_kept_over_a_stop(make_run: Make) -> None:
    recipe = {"learning_rate": 0.3, "num_train_epochs": 20, "eval_strategy": "steps", "eval_steps": 1}
    stopping = {"_target_": STOPPING, "patience": 3, "min_delta": 100.0}
    run = make_run(rows=8, recipe=recipe)
    run.request_stop()
    assert outcome(run, stopping=stopping)["metrics"]["steps"] == 1
    run.stop.unlink()
    ended = outcome(run, stopping=stopping)
    assert ended["metrics"]["steps"] == 3
    assert ended["stopped"].startswith("callbacks.stopping: eval_loss has not improved on")
