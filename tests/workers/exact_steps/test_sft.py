"""Whole sft runs of the TRL worker on a tiny model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training_hub.errors import ConfigError, RunFailed
from training_hub.run import RunDir
from training_hub.trainers.sft import SFT
from training_hub.workers.trl import train

pytestmark = pytest.mark.needs("trl", "torch", "accelerate")
MakeRun = Callable[..., Any]
Losses = Callable[[Any], list[float]]

# The losses of the first steps of the tiny model, torch 2.13 on a processor, fp32.
RECORDED = [5.77083, 5.51269, 5.25403, 5.0926, 4.8061, 4.66684]


def test_the_losses_of_the_first_steps_are_the_recorded_ones(make_run: MakeRun, losses: Losses) -> None:
    run = make_run(recipe={"num_train_epochs": 2})
    assert train(run, run.read_config())["status"] == "completed"
    assert losses(run) == pytest.approx(RECORDED, abs=1e-4)


def test_the_same_seed_gives_the_same_losses_and_another_seed_others(make_run: MakeRun, losses: Losses) -> None:
    runs = [make_run(name, recipe={"seed": seed}) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    for run in runs:
        train(run, run.read_config())
    assert losses(runs[0]) == losses(runs[1]) != losses(runs[2])


@pytest.mark.parametrize("backend", [{"max_tokens_per_gpu": 1}, {"max_tokens_per_gpu": 500}, {"packing": False}])
def test_the_losses_depend_neither_on_micro_batches_nor_on_packing(
    make_run: MakeRun, losses: Losses, backend: dict[str, Any]
) -> None:
    runs = [make_run("plain", rows=10), make_run("other", rows=10, backend=backend)]
    for run in runs:
        train(run, run.read_config())
    assert losses(runs[1]) == pytest.approx(losses(runs[0]), rel=1e-4)
    assert len(losses(runs[0])) == 3


def test_a_row_of_metrics_is_the_mean_over_the_tokens_since_the_last(make_run: MakeRun) -> None:
    runs = [make_run("each", recipe={"learning_rate": 1e-30}), make_run("pairs", recipe={"learning_rate": 1e-30})]
    config = runs[1].read_config()
    config["recipe"] |= {"logging_steps": 3, "logging_first_step": False}
    train(runs[0], runs[0].read_config())
    train(runs[1], config)
    each, [whole] = ([row for row in run.read_metrics() if row["loss"] is not None] for run in runs)
    trained = [row["trained_tokens"] for row in each]
    weights = [trained[0], trained[1] - trained[0], trained[2] - trained[1]]
    mean = sum(row["loss"] * weight for row, weight in zip(each, weights, strict=True)) / trained[2]
    assert whole["loss"] == pytest.approx(mean, rel=1e-5)
    assert whole["tokens"] == each[2]["tokens"]
    assert whole["samples"] == 12


def test_the_final_checkpoint_keeps_the_precision_of_training_and_has_learned(make_run: MakeRun, tiny: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run = make_run()
    result = train(run, run.read_config())
    assert result["checkpoint_path"] == str(run.final_checkpoint)
    before, after = (AutoModelForCausalLM.from_pretrained(path).state_dict() for path in (tiny, run.final_checkpoint))
    assert {value.dtype for value in before.values()} == {torch.bfloat16}
    assert {value.dtype for value in after.values()} == {torch.float32}
    assert all(not torch.equal(before[name].float(), after[name]) for name in before)
    assert before.keys() == after.keys()
    assert "packed" not in (run.final_checkpoint / "config.json").read_text()
    assert AutoTokenizer.from_pretrained(run.final_checkpoint).chat_template


def test_the_eval_loss_is_that_of_the_saved_model_computed_directly(make_run: MakeRun) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from training_hub.data.prepare import prepare

    run = make_run()
    metrics = train(run, run.read_config())["metrics"]
    model = AutoModelForCausalLM.from_pretrained(run.final_checkpoint)
    held_out = prepare(AutoTokenizer.from_pretrained(run.final_checkpoint), run.read_config()["data"]).eval
    total, tokens = 0.0, 0
    for row in held_out:
        ids, labels = (torch.tensor(array.astype("int64")) for array in row)
        logits = model(input_ids=ids[None]).logits[0, :-1]
        total += torch.nn.functional.cross_entropy(logits, labels[1:], reduction="sum").item()
        tokens += int((labels[1:] != -100).sum())
    assert metrics["eval_loss_after"] == pytest.approx(total / tokens, rel=1e-5)
    assert metrics["eval_loss_after"] < metrics["eval_loss_before"]


def test_the_manifest_says_what_the_front_needs(make_run: MakeRun) -> None:
    run = make_run()
    train(run, run.read_config())
    manifest = run.read_manifest()
    assert manifest["total_steps"] == 3
    assert manifest["world_size"] == 1
    assert manifest["parameters"] == manifest["trainable_parameters"] > 0
    assert manifest["resolved"]["attention"] == "sdpa_packed"
    assert manifest["data"]["train"]["rows"] == 12
    assert "torch" in manifest["versions"]


def test_prompts_are_answered_before_and_after(make_run: MakeRun) -> None:
    run = make_run(backend={"sample_prompts": ["count", "count on"]})
    train(run, run.read_config())
    assert [(sample["when"], sample["prompt"]) for sample in run.read_samples()] == [
        ("before", "count"),
        ("before", "count on"),
        ("after", "count"),
        ("after", "count on"),
    ]


def test_evaluations_and_checkpoints_come_when_they_are_asked_for(make_run: MakeRun) -> None:
    recipe = {"eval_strategy": "steps", "eval_steps": 2, "save_strategy": "steps", "save_steps": 1}
    run = make_run(rows=16, recipe=recipe | {"save_total_limit": 2})
    train(run, run.read_config())
    assert [row["step"] for row in run.read_metrics() if row["eval_loss"] is not None] == [0, 2, 4]
    assert sorted(path.name for path in run.checkpoints.glob("checkpoint-*")) == ["checkpoint-3", "checkpoint-4"]
    assert list(run.checkpoints.rglob("README.md")) == []


def test_the_arguments_that_the_loop_sets_itself_are_arguments_of_trl() -> None:
    from trl import SFTConfig

    assert SFT.reserved.keys() <= SFTConfig.__dataclass_fields__.keys()


class StoppedRun(RunDir):
    """A run whose process gets a signal when the first loss is written."""

    def append_metrics(self, **values: float | None) -> None:
        super().append_metrics(**values)
        if len(self.read_metrics()) == 2:  # the first is the evaluation at the start
            os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_leaves_a_full_checkpoint(make_run: MakeRun) -> None:
    run = StoppedRun(make_run(rows=40, recipe={"logging_steps": 2}).path)
    kept = signal.getsignal(signal.SIGTERM)
    result = train(run, run.read_config())
    assert result["status"] == "interrupted"
    assert result["metrics"]["steps"] == 3
    files = {path.name for path in Path(result["checkpoint_path"]).iterdir()}
    assert files >= {"model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"}
    assert not run.final_checkpoint.exists()
    assert signal.getsignal(signal.SIGTERM) is kept


def test_a_loss_that_is_no_number_ends_the_run(make_run: MakeRun) -> None:
    run = make_run(recipe={"learning_rate": 1e30, "max_grad_norm": 0.0})
    with pytest.raises(RunFailed, match=r"(loss|grad_norm)=nan: not a number at step"):
        train(run, run.read_config())


def test_a_model_that_is_not_there_is_one_line(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(model={"path": str(tmp_path / "nothing")})
    with pytest.raises(ConfigError, match=r"^model_path=.*nothing: .*; give a folder"):
        train(run, run.read_config())


def test_prompts_without_a_chat_template_are_refused(make_run: MakeRun, tiny: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(tiny, tmp_path / "bare", ignore=shutil.ignore_patterns("chat_template.jinja"))
    run = make_run(model={"path": str(tmp_path / "bare")}, backend={"sample_prompts": ["hello"]})
    with pytest.raises(ConfigError, match=r"sample_prompts=.*no chat template; give one"):
        train(run, run.read_config())


@pytest.mark.slow
@pytest.mark.parametrize("packing", [True, False])
def test_two_processes_have_the_losses_of_one(make_run: MakeRun, losses: Losses, packing: bool) -> None:
    runs = [make_run(f"{count}", rows=13, backend={"packing": packing}, recipe={"max_steps": 5}) for count in (1, 2)]
    train(runs[0], runs[0].read_config())
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, "-m", "training_hub.worker", str(runs[1].path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert losses(runs[1]) == pytest.approx(losses(runs[0]), rel=1e-4)
    one, two = ([row["eval_loss"] for row in run.read_metrics() if row["eval_loss"] is not None] for run in runs)
    assert two == pytest.approx(one, rel=1e-4)
    assert runs[1].read_manifest()["world_size"] == 2
    assert runs[1].final_checkpoint.exists()
