"""The worker of the example of an extension: the pull towards the weights that training began with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.needs("torch", "transformers", "trl")]


@pytest.fixture
def trained(
    extension: Path, make_run: Callable[..., Any], tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., float]:
    """A function that trains at this strength and returns how far the weights have moved."""
    monkeypatch.syspath_prepend(str(extension))
    from transformers import AutoModelForCausalLM

    from training_hub.installed import trust
    from training_hub.workers.trl import train as train_here

    monkeypatch.setattr(trust, "_allowed_packages", {"training_hub_anchor"})

    beginning = AutoModelForCausalLM.from_pretrained(tiny, dtype="float32").state_dict()

    def train(anchor: float) -> float:
        run = make_run(f"anchor-{anchor}")
        config = run.read_config() | {"algorithm": {"anchor": anchor}}
        config["backend"]["trainer"] = "training_hub_anchor.trainer.AnchoredSFT"
        outcome = train_here(run, config)
        now = AutoModelForCausalLM.from_pretrained(outcome["checkpoint_path"], dtype="float32").state_dict()
        return sum(float((now[name] - weight).square().sum()) for name, weight in beginning.items()) ** 0.5

    return train


def test_the_stronger_the_anchor_the_less_the_weights_move(trained: Callable[..., float]) -> None:
    free, held = trained(0.0), trained(100.0)
    assert held < 0.7 * free


def test_the_pull_is_the_gradient_of_the_squared_distance(extension: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.syspath_prepend(str(extension))
    from training_hub_anchor.training import Anchor

    layer = torch.nn.Linear(3, 2)
    anchor, beginning = Anchor(layer, 0.5), [weight.detach().clone() for weight in layer.parameters()]
    with torch.no_grad():
        for weight in layer.parameters():
            weight += 1
    distance = sum((now - then).square().sum() for now, then in zip(layer.parameters(), beginning, strict=True))
    (0.25 * distance).backward()
    wanted = [weight.grad.clone() for weight in layer.parameters()]
    layer.zero_grad(set_to_none=False)
    anchor()
    assert all(torch.equal(weight.grad, each) for weight, each in zip(layer.parameters(), wanted, strict=True))
