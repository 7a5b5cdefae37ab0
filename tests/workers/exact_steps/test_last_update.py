"""What the last update did to the model is seen, although the loss is measured before it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.workers.exact_steps.test_dpo import dpo  # noqa: F401  a fixture
from training_hub.errors import RunFailed
from training_hub.run import RunDir
from training_hub.workers import rise
from training_hub.workers.trl import train

pytestmark = [
    pytest.mark.needs("trl", "torch", "accelerate", "peft"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # by TRL and PEFT
]
MakeRun = Callable[..., Any]
MUCH = {"learning_rate": 10.0, "max_steps": 1}
WORSE = (
    r"^loss=\S+: no better after step 1 than a guess among \d+ tokens \(5\.\d+\), and training began at .*; lower lr"
)


def saved(run: RunDir) -> list[str]:
    return sorted(path.name for path in run.checkpoints.glob("*"))


@pytest.mark.parametrize("recipe", [{}, {"save_strategy": "steps", "save_steps": 1}])
@pytest.mark.parametrize("packing", [True, False])
def test_a_model_that_the_last_update_has_ruined_is_not_saved(
    make_run: MakeRun, recipe: dict[str, Any], packing: bool
) -> None:
    run = make_run(recipe=MUCH | recipe, backend={"packing": packing})
    with pytest.raises(RunFailed, match=WORSE):
        train(run, run.read_config())
    assert saved(run) == []


def test_nor_one_that_learned_from_pairs(dpo: MakeRun) -> None:  # noqa: F811
    run = dpo(recipe=MUCH)
    with pytest.raises(RunFailed, match=WORSE):
        train(run, run.read_config())
    assert saved(run) == []


def test_a_rise_of_the_loss_is_a_warning(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    from training_hub.workers.exact_steps import last_update

    monkeypatch.setattr(last_update, "must_not_be_ruined", lambda *_: None)  # the tiny model only guesses anyway
    run = make_run(recipe=MUCH)
    outcome = train(run, run.read_config())
    [warning] = outcome["warnings"]
    assert warning.startswith("the last update raised the loss of the rows it was made of from ")
    assert outcome["status"] == "completed"


def test_an_update_that_helps_is_no_warning(make_run: MakeRun) -> None:
    run = make_run()
    assert train(run, run.read_config())["warnings"] == []


@pytest.mark.parametrize(
    ("nats", "at_first", "ruined"),
    [
        (math.log(400) + 1.1, 2.0, True),
        (math.log(400), 2.0, True),
        (math.log(400), math.log(400) - 0.9, False),
        (5.8, 2.0, False),
        (30.0, 40.0, False),
        (30.0, 28.9, True),
        (math.inf, 2.0, True),
        (math.nan, 2.0, True),
    ],
)
def test_ruined_is_worse_than_a_guess_and_than_where_training_began(nats: float, at_first: float, ruined: bool) -> None:
    from training_hub.workers.exact_steps import last_update

    if not ruined:
        last_update.must_not_be_ruined(nats, at_first, 400, 3)
        return
    with pytest.raises(RunFailed, match=r"after step 3.*the model is not saved; lower lr or weight_decay"):
        last_update.must_not_be_ruined(nats, at_first, 400, 3)


def test_looking_again_changes_nothing(make_run: MakeRun, losses: Callable[[Any], list[float]]) -> None:
    """With dropout: what the generators of random numbers give next is the same with a checkpoint as without."""
    from tests.workers.adapters.test_lora import lora

    node = lora()
    node["peft"] |= {"lora_dropout": 0.5}
    plain, saving = (
        make_run("plain", adapter=node),
        make_run("saving", adapter=node, recipe={"save_strategy": "steps", "save_steps": 1}),
    )
    for run in (plain, saving):
        train(run, run.read_config())
    assert losses(plain) == losses(saving)


@pytest.mark.parametrize(
    ("first", "final", "warned"), [(1.6, 10.8, True), (0.2, 0.9, False), (4.0, 5.5, False), (0.5, 1.6, True)]
)
def test_a_run_that_ends_far_above_its_beginning_is_warned_about(first: float, final: float, warned: bool) -> None:
    assert len(rise.of_run({"first_loss": first, "final_loss": final})) == warned
