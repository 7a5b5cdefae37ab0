"""What ranks the runs of a sweep, and what cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training_hub.errors import ConfigError
from training_hub.ranking import BY_LOSS, Ranking, objective, ranked, ranking_of, unranked
from training_hub.sweeps.expand import typed
from training_hub.sweeps.front import planned_sweep
from training_hub.sweeps.plan import unmeasured


def row(status: str = "completed", /, **metrics: float) -> dict[str, Any]:
    losses = {"final_loss": metrics.get("final_loss"), "eval_loss": metrics.get("eval_loss_after")}
    return {"status": status, **losses, "metrics": metrics}


KNOWN = {
    (None, None): BY_LOSS,
    ("loss", None): Ranking("loss", "min"),
    ("eval_loss", "max"): Ranking("eval_loss", "max"),
    ("final_loss", None): Ranking("loss", "min"),
    ("eval_loss_after", None): Ranking("eval_loss", "min"),
    ("tokens_per_second", None): Ranking("tokens_per_second", "max"),
    ("peak_memory_gb", "min"): Ranking("peak_memory_gb", "min"),
    ("my/score", "max"): Ranking("my/score", "max"),
    ("eval_rewards/margins", "max"): Ranking("eval_rewards/margins", "max"),
}


@pytest.mark.parametrize(("asked", "ranking"), KNOWN.items(), ids=map(str, KNOWN))
def test_a_metric_of_any_name_ranks(asked: tuple[str | None, str | None], ranking: Ranking) -> None:
    assert ranking_of(*asked) == ranking


UNKNOWN = "it is not known whether lower or higher is better"
REFUSED = {
    "rank_by=my/score": [f"rank_by=my/score: {UNKNOWN}; add rank_mode=max, or min"],
    "rank_by=eval_los": [
        f"rank_by=eval_los: {UNKNOWN}; did you mean eval_loss? If not, add rank_mode=max, or min"
    ],
    "rank_by=step": [f"rank_by=step: {UNKNOWN}; add rank_mode=max, or min"],
    "rank_by=lr rank_mode=min": [
        "rank_by=lr: a run has no final value of it; give eval_loss, loss, or the name of a further metric"
    ],
    "rank_by=Loss": ["rank_by=Loss: is the name of a metric that every run has; did you mean loss?"],
    "rank_by='my score' rank_mode=max": [
        "rank_by=my score: must begin with a letter and have at most 100 letters, digits, _, ., - or /; give "
        "eval_loss, loss, or the name of a further metric"
    ],
    "rank_mode=max": [
        "rank_mode=max: without rank_by, runs are ranked by the lowest loss; add rank_by=METRIC, or drop it"
    ],
    "rank_by=loss rank_mode=up": ["rank_mode=up: must be 'min' or 'max'"],
    "rank_by=loss,eval_loss": ["rank_by=loss,eval_loss: cannot be swept; give one value"],
    "rank_by=[loss]": ["rank_by=['loss']: must be text"],
}  # fmt: skip


@pytest.mark.parametrize(("words", "faults"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_rank_is_refused_before_anything_runs(words: str, faults: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        typed(words.replace("' ", "'|").replace(" rank_mode", "|rank_mode").replace("||", "|").split("|"))
    assert list(error.value.faults) == faults


def test_a_run_is_ranked_by_its_last_value() -> None:
    assert objective(row(**{"my/score": 0.5}), Ranking("my/score", "max")) == 0.5
    assert objective(row(tokens_per_second=5), Ranking("tokens_per_second", "max")) == 5
    assert objective(row(final_loss=1, eval_loss_after=2), Ranking("loss")) == 1
    assert objective(row(final_loss=1), Ranking("eval_loss")) is None
    assert objective(row("failed", **{"my/score": 0.5}), Ranking("my/score", "max")) is None


@settings(max_examples=30, derandomize=True, deadline=None)
@given(st.lists(st.floats(allow_infinity=False) | st.none()), st.sampled_from(["min", "max"]))
def test_the_best_comes_first_and_what_has_no_number_last(values: list[float | None], mode: str) -> None:
    rows = [row(**({"a": value} if value is not None else {})) for value in values]
    found = [objective(each, Ranking("a", mode)) for each in ranked(rows, Ranking("a", mode))]
    numbers = [value for value in found if value is not None and value == value]
    assert found[: len(numbers)] == numbers == sorted(numbers, reverse=mode == "max")


def test_a_completed_run_without_the_metric_is_a_fault_that_names_what_it_has() -> None:
    rows, ranking = [row(final_loss=1, f1=2), row(final_loss=1), row("failed")], Ranking("f1", "max")
    assert unranked(rows, ranking, "RESUME") == (
        "rank_by=f1: 1 of 2 runs have not measured it; choose from (loss), then RESUME rank_by=METRIC"
    )
    assert unranked([rows[0], rows[2]], ranking, "RESUME") is None
    assert unranked([row()], BY_LOSS, "RESUME") is None


def test_a_held_out_metric_needs_held_out_rows() -> None:
    data = {"eval_path": None, "eval_fraction": 0}
    for metric, callbacks, wrong in (
        ("eval_loss", None, True), ("eval_loss", {"mine": {}}, True), ("eval_rewards/margins", {}, True),
        ("eval_mine", {"mine": {}}, False), ("loss", None, False),
    ):  # fmt: skip
        assert bool(unmeasured(metric, {"data": data, "callbacks": callbacks})) == wrong
    assert not unmeasured("eval_loss", {"data": data | {"eval_fraction": 0.1}})


@pytest.mark.needs("hydra_plugins.hydra_optuna_sweeper")
@pytest.mark.parametrize(("mode", "direction"), [("max", "maximize"), ("min", "minimize")])
def test_the_plan_of_a_study_shows_which_way_it_optimises(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, direction: str
) -> None:
    monkeypatch.chdir(tmp_path)
    study = ["hydra/sweeper=optuna", "lr=interval(1e-5,1e-1)", "rank_by=my/score", f"rank_mode={mode}"]
    assert f"  direction: {direction}\n" in planned_sweep([*words, *study]).plugins()


@pytest.mark.needs("hydra_plugins.hydra_optuna_sweeper")
@pytest.mark.parametrize(
    ("ranking", "direction", "rule"),
    [
        ([], "maximize", "the runs are ranked by the lowest loss; drop it, or add rank_by=METRIC rank_mode=max"),
        (["rank_by=a", "rank_mode=max"], "minimize", "the runs are ranked by the highest a; drop it"),
    ],
)
def test_a_study_that_optimises_another_way_is_refused(
    words: list[str], ranking: list[str], direction: str, rule: str
) -> None:
    study = ["hydra/sweeper=optuna", "lr=interval(1e-5,1e-1)", f"hydra.sweeper.direction={direction}", *ranking]
    with pytest.raises(ConfigError) as error:
        planned_sweep([*words, *study])
    assert error.value.faults == (f"hydra.sweeper.direction={direction}: {rule}",)
