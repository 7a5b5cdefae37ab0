"""What the worker for unsloth tries on a model before it trains it. Needs no unsloth: it is the model that is tried."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from training_hub.run import RunDir

pytestmark = [
    pytest.mark.needs("trl", "torch", "peft"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # by PEFT
]
MakeRun = Callable[..., Any]


@pytest.fixture
def trainer(make_run: MakeRun) -> Any:
    """The trainer for unsloth, on a model that transformers has loaded."""
    from training_hub.trainers.unsloth_sft import UnslothSFT
    from training_hub.workers.loop import run_loop
    from training_hub.workers.unsloth.trainer import UnslothTrainer

    run: RunDir = make_run(recipe={"_target_": "transformers.TrainingArguments"})
    config = run.read_config()
    loaded = run_loop.load(run, config, UnslothSFT, run_loop.model_and_adapter)
    loaded.model.set_attn_implementation("sdpa")
    return UnslothTrainer(
        loaded.model, loaded.args, run, loaded.data.train, loaded.data.eval, packed=True,
        processing_class=loaded.tokenizer, **run_loop.shape(config, loaded),
    )  # fmt: skip


def test_a_model_of_transformers_sums_its_losses_and_keeps_rows_apart(trainer: Any) -> None:
    from training_hub.workers.unsloth import trial

    assert trial.sums_losses(trainer)
    assert trial.keeps_rows_apart(trainer)


def without(name: str, forward: Any, *args: Any, **inputs: Any) -> Any:
    inputs.pop(name)
    return forward(*args, **inputs)


@pytest.mark.parametrize(
    ("ignored", "fails"), [("num_items_in_batch", "sums_losses"), ("position_ids", "keeps_rows_apart")]
)
def test_a_model_that_ignores_what_it_is_told_is_found_out(trainer: Any, ignored: str, fails: str) -> None:
    from training_hub.workers.unsloth import trial

    trainer.model.forward = partial(without, ignored, trainer.model.forward)
    assert not getattr(trial, fails)(trainer)


@pytest.mark.parametrize("packed", [True, False])
def test_the_loss_by_labels_is_the_loss_by_targets(trainer: Any, packed: bool) -> None:
    import torch

    from training_hub.workers.exact_steps import batches, loss

    rows = [trainer.rows[number] for number in range(6)]
    micro_batches = batches.micro_batches(rows, 64, packed)
    assert len(micro_batches) > 1
    with torch.no_grad():
        found = [float(trainer.micro_loss(trainer.model, each)) for each in micro_batches]
        loss.add_token_loss(trainer.model)
        expected = [
            float(trainer.model(**each["inputs"], keep=each["keep"], targets=each["targets"])) for each in micro_batches
        ]
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_process_uses_one_gpu_where_several_are_visible(trainer: Any) -> None:
    from training_hub.workers.loop.run_loop import on_one_gpu

    trainer.args._n_gpu = 2  # what transformers finds on such a machine, where torchrun has started nothing
    assert trainer.args.n_gpu == 2
    assert on_one_gpu(trainer.args).n_gpu == 1
