"""Metrics beside the core: what callbacks log and the trainer measures, where it is written, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training_hub.callbacks import HOOKS
from training_hub.errors import RunFailed
from training_hub.metrics import MOST_NAMES
from training_hub.run import RunDir
from training_hub.workers.trl import train

Make = Callable[..., RunDir]
STOPPING = {"_target_": "training_hub.callbacks.EarlyStopping"}
SWINGING = {"_target_": "tests.workers.called.Swinging"}


def outcome(run: RunDir, **callbacks: dict[str, Any]) -> dict[str, Any]:
    """What training with these callbacks comes to."""
    return train(run, run.read_config() | {"callbacks": callbacks})


def scoring(**arguments: Any) -> dict[str, Any]:
    return {"_target_": "tests.workers.called.Scoring", **arguments}


def points(run: RunDir, name: str) -> list[tuple[float, float]]:
    return [(row["step"], row[name]) for row in run.read_metrics() if row.get(name) is not None]


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook != "on_metrics"])
def test_what_is_logged_in_any_hook_is_a_row_and_a_final_number(make_run: Make, hook: str) -> None:
    run = make_run(rows=8, recipe={"save_strategy": "epoch"})
    ended = outcome(run, mine=scoring(hook=hook))
    found = points(run, "my/score")
    assert found
    assert all(step == value for step, value in found)
    assert ended["metrics"]["my/score"] == found[-1][1]
    assert all(row["loss"] is None and row["tokens"] is not None for row in run.read_metrics() if "my/score" in row)


def test_several_callbacks_that_log_at_one_moment_share_a_row(make_run: Make) -> None:
    run = make_run(rows=8)
    outcome(run, a=scoring(hook="on_step_end", name="a"), b=scoring(hook="on_step_end", name="b", value=7))
    assert [(row["a"], row["b"]) for row in run.read_metrics() if "a" in row] == [(1, 7), (2, 7)]


@pytest.mark.parametrize(
    ("callbacks", "text"),
    [
        ({"a": scoring(name="my score")}, "callbacks.a: on_log: ValueError: my score=0: must begin with a letter"),
        ({"a": scoring(name="loss")}, "callbacks.a: on_log: ValueError: loss=0: is the name of a metric"),
        ({"a": scoring(value=float("nan"))}, "callbacks.a: on_log: ValueError: my/score=nan: must be a finite number"),
        ({"a": scoring(), "b": scoring()}, "callbacks.b: on_log: another callback has logged my/score"),
        ({"a": scoring(hook="on_metrics"), "b": scoring(name="b")}, "callbacks.a: on_metrics cannot log: it is called"),
    ],
)
def test_what_cannot_be_logged_fails_the_run_in_one_line(make_run: Make, callbacks: Any, text: str) -> None:
    with pytest.raises(RunFailed) as caught:
        outcome(make_run(rows=8), **callbacks)
    assert str(caught.value).startswith(text)
    assert "\n" not in str(caught.value)


def test_more_names_than_a_run_may_have_fail_it(make_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_NAMES == 200
    monkeypatch.setattr("training_hub.metrics.MOST_NAMES", 1)
    with pytest.raises(RunFailed, match="a run has at most 1 metrics beside the core; log fewer names"):
        outcome(make_run(rows=8), a=scoring(), b=scoring(name="b"))


def test_a_run_that_was_stopped_has_the_same_rows_as_one_that_was_not(make_run: Make) -> None:
    def rows(run: RunDir) -> list[dict[str, Any]]:
        clocks = ("seconds", "tokens_per_second")
        return [{name: value for name, value in row.items() if name not in clocks} for row in run.read_metrics()]

    whole, parts = make_run("whole", rows=24), make_run("parts", rows=24)
    outcome(whole, mine=SWINGING)
    for step in (2, 4):
        with pytest.raises(RunFailed, match=f"{step} steps"):
            outcome(parts, mine=SWINGING, stop={"_target_": "tests.workers.called.Breaking", "step": step})
    outcome(parts, mine=SWINGING)
    assert rows(parts) == rows(whole)


def test_early_stopping_acts_on_what_a_callback_logs_and_keeps_the_best(make_run: Make) -> None:
    run = make_run(rows=40, recipe={"save_total_limit": 1})
    stopping = STOPPING | {"metric": "my/score", "mode": "max", "patience": 2}
    ended = outcome(run, stopping=stopping, mine=SWINGING)
    assert ended["metrics"]["steps"] == 5
    assert ended["best_checkpoint_path"] == str(run.checkpoint(3))
    said = "my/score has not improved on 0.5 (step 3) in 2 measurements"
    assert ended["stopped"] == f"callbacks.stopping: {said}"


def test_a_metric_that_never_comes_is_an_error_that_names_those_that_came(make_run: Make) -> None:
    stopping = STOPPING | {"metric": "my/scor", "mode": "max"}
    run = make_run(rows=8, recipe={"num_train_epochs": 3})
    with pytest.raises(RunFailed) as caught:
        outcome(run, stopping=stopping, mine=SWINGING)
    way = "did you mean my/score? (eval_loss, my/score, loss)"
    assert str(caught.value) == f"callbacks.stopping.metric=my/scor: was not measured; {way}"
    assert max(row["step"] for row in run.read_metrics()) == 2, "an epoch is enough to tell"


def test_a_metric_of_the_last_moment_is_waited_for(make_run: Make) -> None:
    stopping = STOPPING | {"metric": "my/score", "mode": "min"}
    run = make_run(rows=8, recipe={"num_train_epochs": 2})
    assert outcome(run, stopping=stopping, mine=scoring(hook="on_epoch_end"))["status"] == "completed"


def test_a_callback_hears_what_another_has_logged(make_run: Make, tmp_path: Path) -> None:
    recorder = {"_target_": "tests.workers.called.Recorder", "file": str(tmp_path / "heard")}
    outcome(make_run(rows=8), recorder=recorder, mine=scoring(hook="on_step_end"))
    heard = (tmp_path / "heard").read_text().splitlines()
    assert [line for line in heard if line.startswith("on_metrics")] == [
        "on_metrics 1/2 ['my/score']", "on_metrics 2/2 ['my/score']",
    ]  # fmt: skip
