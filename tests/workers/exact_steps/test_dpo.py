"""Whole dpo runs of the TRL worker on a tiny model."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from tests.workers.conftest import conversation
from training_hub.errors import ConfigError, RunFailed
from training_hub.trainers.dpo import DPO
from training_hub.workers.trl import train

pytestmark = [
    pytest.mark.needs("trl", "torch", "peft"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # by TRL and PEFT
]
MakeRun = Callable[..., Any]
Losses = Callable[[Any], list[float]]

# The losses of the first steps of the tiny model, torch 2.13 on a processor, fp32.
RECORDED = [0.693147, 0.605267, 0.539841, 0.474612, 0.393504, 0.352138]
LORA = {
    "_target_": "peft.LoraConfig", "r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "target_modules": "all-linear",
    "init_lora_weights": True, "rank_pattern": {}, "alpha_pattern": {}, "loftq_config": {},
}  # fmt: skip
ADAPTER = {"merge": False, "quantization": {"load_in_4bit": False, "load_in_8bit": False}, "peft": LORA}


def pair(number: int) -> dict[str, Any]:
    """A question, its answer, and the answer backwards."""
    question, answer = conversation(number)["messages"]
    backwards = " ".join(reversed(answer["content"].split())) + " no"
    return {"prompt": [question], "chosen": [answer], "rejected": [{"role": "assistant", "content": backwards}]}


@pytest.fixture
def dpo(make_run: MakeRun, tmp_path: Path) -> MakeRun:
    """A run directory with a config as the front writes it; recipe, backend and adapter take changes."""

    def write(name: str, numbers: range) -> str:
        (tmp_path / name).write_text("".join(json.dumps(pair(number)) + "\n" for number in numbers))
        return str(tmp_path / name)

    def make(name: str = "run", rows: int = 12, **changes: Any) -> Any:
        own = {"_target_": "trl.DPOConfig", "beta": 0.1, "loss_type": ["sigmoid"], "loss_weights": None}
        changes["recipe"] = own | {"label_smoothing": 0.0, "num_train_epochs": 2} | changes.get("recipe", {})
        changes["backend"] = {"packing": False, "save_dtype": "float32"} | changes.get("backend", {})
        paths = {"path": write("train.jsonl", range(rows)), "eval_path": write("eval.jsonl", range(100, 105))}
        changes["data"] = paths | {"accepts": ["preference"]} | changes.get("data", {})
        return make_run(name, **changes)

    return make


def logps(model: Any, prompt: Any, answer: Any) -> float:
    """Log-probability of an answer after a prompt, in the plainest way."""
    import numpy as np
    import torch

    ids = torch.tensor(np.concatenate([prompt, answer]).astype("int64"))
    with torch.no_grad():
        each = model(input_ids=ids[None]).logits[0, :-1].log_softmax(-1)
    return float(each.gather(1, ids[1:, None])[len(prompt) - 1 :].sum())


def test_the_losses_of_the_first_steps_are_the_recorded_ones(dpo: MakeRun, losses: Losses) -> None:
    run = dpo(recipe={"num_train_epochs": 2})
    assert train(run, run.read_config())["status"] == "completed"
    assert losses(run) == pytest.approx(RECORDED, abs=1e-4)


@pytest.mark.parametrize("max_tokens", [1, 1000])
def test_the_losses_do_not_depend_on_micro_batches(dpo: MakeRun, losses: Losses, max_tokens: int) -> None:
    run = dpo(backend={"max_tokens_per_gpu": max_tokens})
    train(run, run.read_config())
    assert losses(run) == pytest.approx(RECORDED, abs=1e-4)


def test_the_results_are_those_of_saved_model_and_reference_computed_directly(dpo: MakeRun, tiny: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from training_hub.data.prepare import prepare

    run = dpo(recipe={"beta": 0.3})
    metrics = train(run, run.read_config())["metrics"]
    trained, reference = (
        AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32) for path in (run.final_checkpoint, tiny)
    )
    margins, preferred = [], []
    for prompt, chosen, rejected in prepare(AutoTokenizer.from_pretrained(tiny), run.read_config()["data"]).eval:
        own, before = ([logps(model, prompt, each) for each in (chosen, rejected)] for model in (trained, reference))
        margins.append(0.3 * ((own[0] - before[0]) - (own[1] - before[1])))
        preferred.append(own[0] > own[1])
    expected = -torch.nn.functional.logsigmoid(torch.tensor(margins)).mean().item()
    assert metrics["eval_loss_after"] == pytest.approx(expected, rel=1e-4)
    assert metrics["eval_margin_after"] == pytest.approx(sum(margins) / 5, rel=1e-4)
    assert metrics["eval_accuracy_after"] == sum(margin > 0 for margin in margins) / 5
    assert metrics["eval_preferred_after"] == sum(preferred) / 5


@pytest.mark.parametrize("adapter", [{}, ADAPTER])
def test_the_answers_move_apart(dpo: MakeRun, losses: Losses, adapter: dict[str, Any]) -> None:
    run = dpo(adapter=adapter, recipe={"num_train_epochs": 3})
    metrics = train(run, run.read_config())["metrics"]
    assert losses(run)[0] == pytest.approx(0.693147, abs=1e-5)
    assert (metrics["eval_accuracy_before"], metrics["eval_margin_before"]) == (0.5, 0)
    assert metrics["eval_accuracy_after"] == 1
    assert metrics["eval_margin_after"] > 0.1
    manifest = run.read_manifest()
    assert (manifest["trainable_parameters"] < manifest["parameters"]) == bool(adapter)
    assert (run.final_checkpoint / "adapter_config.json").exists() == bool(adapter)


def further(run: Any, name: str) -> list[tuple[float, float]]:
    return [(row["step"], row[name]) for row in run.read_metrics() if row.get(name) is not None]


def test_margins_and_accuracies_of_every_step_and_evaluation_are_metrics(dpo: MakeRun) -> None:
    run = dpo(recipe={"eval_strategy": "steps", "eval_steps": 2})
    metrics = train(run, run.read_config())["metrics"]
    assert further(run, "rewards/margins")[0] == (1, 0), "the reference is the model as it was"
    assert further(run, "rewards/accuracies")[0] == (1, 0.5)
    for name in ("rewards/margins", "rewards/accuracies", "preferred"):
        assert [step for step, _ in further(run, name)] == [1, 2, 3, 4, 5, 6]
        assert [step for step, _ in further(run, f"eval_{name}")] == [0, 2, 4, 6]
        assert metrics[name] == further(run, name)[-1][1]
    assert metrics["eval_rewards/margins"] == metrics["eval_margin_after"] > 0


def test_a_margin_over_several_steps_is_the_mean_over_their_pairs_also_where_the_run_resumed(dpo: MakeRun) -> None:
    each, whole, parts = (
        dpo(name, recipe={"logging_steps": steps, "save_strategy": "steps", "save_steps": 2})
        for name, steps in (("each", 1), ("whole", 3), ("parts", 3))
    )
    for run in (each, whole):
        train(run, run.read_config())
    with pytest.raises(RunFailed):
        train(
            parts, parts.read_config() | {"callbacks": {"a": {"_target_": "tests.workers.called.Breaking", "step": 2}}}
        )
    train(parts, parts.read_config())
    margins = [margin for _, margin in further(each, "rewards/margins")]
    assert [margin for _, margin in further(whole, "rewards/margins")] == pytest.approx(
        [sum(margins[:3]) / 3, sum(margins[3:]) / 3], rel=1e-5
    )
    for name in ("rewards/margins", "rewards/accuracies", "preferred"):
        assert further(parts, name) == further(whole, name)


def test_early_stopping_acts_on_the_margin(dpo: MakeRun) -> None:
    stopping = {"metric": "eval_rewards/margins", "mode": "min", "patience": 2, "save_best": False}
    run = dpo(recipe={"eval_strategy": "steps", "eval_steps": 1})
    callbacks = {"stopping": {"_target_": "training_hub.callbacks.EarlyStopping", **stopping}}
    ended = train(run, run.read_config() | {"callbacks": callbacks})
    assert ended["metrics"]["steps"] == 2
    said = "eval_rewards/margins has not improved on 0 (step 0) in 2 measurements"
    assert ended["stopped"] == f"callbacks.stopping: {said}"


@pytest.mark.parametrize("adapter", [{}, ADAPTER])
def test_no_second_model_is_loaded_and_the_reference_is_asked_once_for_each_pair(
    dpo: MakeRun, monkeypatch: pytest.MonkeyPatch, adapter: dict[str, Any]
) -> None:
    from training_hub.workers import models
    from training_hub.workers.exact_steps import preference

    loaded, asked, load, ask = [], [], models.load_model, preference.PreferenceTrainer.compute_ref_log_probs
    monkeypatch.setattr(models, "load_model", lambda *given, **more: loaded.append(1) or load(*given, **more))

    def count(trainer: Any, model: Any, inputs: Any) -> Any:
        assert trainer.ref_model is None
        asked.append(len(inputs["input_ids"]) // 2)
        return ask(trainer, model, inputs)

    monkeypatch.setattr(preference.PreferenceTrainer, "compute_ref_log_probs", count)
    monkeypatch.delattr("trl.trainer.dpo_trainer.create_model_from_path")
    run = dpo(adapter=adapter)
    train(run, run.read_config())
    assert (len(loaded), sum(asked)) == (1, 12 + 5)
    asked.clear()
    run = dpo("short", adapter=adapter, recipe={"max_steps": 2})
    train(run, run.read_config())
    assert sum(asked) == 8 + 5


def test_evaluating_in_between_changes_no_loss(dpo: MakeRun, losses: Losses) -> None:
    run = dpo(recipe={"eval_strategy": "steps", "eval_steps": 1})
    train(run, run.read_config())
    assert losses(run) == pytest.approx(RECORDED, abs=1e-4)
    assert [row["step"] for row in run.read_metrics() if row["eval_loss"] is not None] == list(range(7))


def test_every_loss_that_can_be_chosen_is_a_mean_over_pairs(dpo: MakeRun) -> None:

    from training_hub.algorithms.dpo import Loss
    from training_hub.workers.exact_steps.dpo import build
    from training_hub.workers.loop import run_loop

    run = dpo()
    loaded = run_loop.load(run, run.read_config(), DPO, run_loop.model_and_adapter)
    trainer = build(run, run.read_config(), loaded)
    trainer.model.eval()
    rows = [trainer.rows[number] for number in range(6)]
    trainer._reference["train"] = trainer.ask_reference(trainer.rows, range(6)) + 0.7  # so that no margin is 0
    trainer._reference["train"][:, 1] -= 1.1
    trainer.label_smoothing = 0.1
    for name in get_args(Loss):
        trainer.loss_types = [name]
        together = trainer.micro_loss(trainer.model, trainer._micro_batch("train", rows))
        apart = sum(trainer.micro_loss(trainer.model, trainer._micro_batch("train", [row])) for row in rows)
        assert float(together.detach()) == pytest.approx(float(apart.detach()), rel=1e-4), name


def test_rows_that_are_no_pairs_are_one_line(dpo: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "chat.jsonl").write_text(json.dumps(conversation(1)) + "\n")
    run = dpo(data={"path": str(tmp_path / "chat.jsonl"), "accepts": ["messages"], "eval_path": None})
    with pytest.raises(ConfigError, match=r"^data.format=auto: dpo learns from pairs"):
        train(run, run.read_config())


def test_what_trl_refuses_is_one_line(dpo: MakeRun) -> None:
    run = dpo(recipe={"loss_type": ["bco_pair"], "f_divergence_type": "forward_kl"})
    with pytest.raises(ConfigError, match=r"^recipe=trl.DPOConfig: .*f_divergence_type"):
        train(run, run.read_config())


def test_the_arguments_that_the_loop_sets_itself_are_arguments_of_trl() -> None:
    from trl import DPOConfig, SFTConfig

    known = DPOConfig.__dataclass_fields__.keys() | SFTConfig.__dataclass_fields__.keys()
    assert DPO.reserved.keys() <= known


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(dpo: MakeRun, losses: Losses) -> None:
    runs = [dpo(f"{count}", rows=13, recipe={"max_steps": 5}) for count in (1, 2)]
    for run in runs:
        stopping = {"_target_": "training_hub.callbacks.EarlyStopping", "metric": "my/score", "mode": "max"}
        callbacks = {"mine": {"_target_": "tests.workers.called.Swinging"}, "stopping": stopping | {"patience": 9}}
        run.config.write_text(yaml.safe_dump(run.read_config() | {"callbacks": callbacks}))
    train(runs[0], runs[0].read_config())
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, "-m", "training_hub.worker", str(runs[1].path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert losses(runs[1]) == pytest.approx(losses(runs[0]), rel=1e-4)
    one, two = ([row["eval_loss"] for row in run.read_metrics() if row["eval_loss"] is not None] for run in runs)
    assert two == pytest.approx(one, rel=1e-4)
    for name in ("rewards/margins", "eval_rewards/margins", "rewards/accuracies", "preferred", "my/score"):
        one, two = ([value for _, value in further(run, name)] for run in runs)
        assert one
        assert two == pytest.approx(one, rel=1e-3, abs=1e-5), name
    result = runs[1].read_result()
    assert result is not None
    assert result.metrics["eval_accuracy_before"] == 0.5
