"""Whole osft runs of the TRL worker on a tiny model: what must stay stays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training_hub.errors import ConfigError
from training_hub.workers.trl import train

pytestmark = pytest.mark.needs("trl", "torch", "peft")
MakeRun = Callable[..., Any]
Losses = Callable[[Any], list[float]]

# The losses of the first steps of the tiny model, a quarter of its directions trained, torch 2.13, fp32.
RECORDED = [5.77083, 5.78599, 5.76384, 5.7648, 5.75795, 5.76922]


def osf(ratio: float = 0.25, patterns: list[str] | None = None) -> dict[str, Any]:
    """The node `adapter` as the front writes it."""
    return {"target_patterns": patterns, "peft": {"_target_": "peft.OSFConfig", "effective_rank": 1 - ratio}}


def osft(make_run: MakeRun, name: str = "run", ratio: float = 0.25, **changes: Any) -> Any:
    changes.setdefault("adapter", osf(ratio))
    changes["backend"] = {"save_dtype": "float32"} | changes.get("backend", {})
    return make_run(name, **changes)


def weights(folder: Path) -> dict[str, Any]:
    """The saved matrices and vectors in double precision."""
    from safetensors.torch import load_file

    return {name: value.double() for name, value in load_file(folder / "model.safetensors").items()}


def leakage(before: Any, after: Any, kept: int) -> tuple[float, float]:
    """|U_high.T D| / |D| and |D V_high| / |D| by a decomposition of the test's own."""
    import torch

    change = after - before
    left, _, right = torch.linalg.svd(before, full_matrices=False)
    size = change.norm()
    return float((left[:, :kept].T @ change).norm() / size), float((change @ right[:kept].T).norm() / size)


def test_the_losses_of_the_first_steps_are_the_recorded_ones(make_run: MakeRun, losses: Losses) -> None:
    run = osft(make_run, recipe={"num_train_epochs": 2})
    assert train(run, run.read_config())["status"] == "completed"
    assert losses(run) == pytest.approx(RECORDED, abs=1e-4)


def test_after_a_hundred_steps_of_adamw_what_was_kept_is_as_it_was(make_run: MakeRun, tiny: Path) -> None:
    run = osft(make_run, recipe={"max_steps": 100})
    metrics = train(run, run.read_config())["metrics"]
    assert metrics["steps"] == 100
    assert metrics["eval_loss_after"] < metrics["eval_loss_before"]
    before, after = weights(tiny), weights(run.final_checkpoint)
    changed = [name for name in before if not before[name].equal(after[name])]
    assert len(changed) == 14
    assert all("_proj" in name for name in changed)
    for name in changed:
        kept = int(0.75 * min(before[name].shape))
        assert max(leakage(before[name], after[name], kept)) < 1e-5, name
    assert 0 < max(metrics["leakage_u"], metrics["leakage_v"]) < 1e-5


def test_without_projection_the_run_itself_tells_of_the_leak(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training_hub.workers.adapters import subspace

    monkeypatch.setattr(subspace.Split, "project", lambda self: None)
    run = osft(make_run, recipe={"max_steps": 20})
    metrics = train(run, run.read_config())["metrics"]
    assert min(metrics["leakage_u"], metrics["leakage_v"]) > 0.01


def test_rounding_to_a_coarse_dtype_counts_as_leakage(make_run: MakeRun) -> None:
    run = osft(make_run, recipe={"max_steps": 5}, backend={"save_dtype": "bfloat16"})
    metrics = train(run, run.read_config())["metrics"]
    assert min(metrics["leakage_u"], metrics["leakage_v"]) > 0.01


@pytest.mark.parametrize("ratio", [0.05, 0.5, 0.9])
def test_the_ratio_is_the_share_of_directions_that_are_trained(make_run: MakeRun, tiny: Path, ratio: float) -> None:
    import torch

    run = osft(make_run, ratio=ratio, recipe={"max_steps": 10})
    train(run, run.read_config())
    before, after = weights(tiny), weights(run.final_checkpoint)
    for name in (name for name in before if "_proj" in name):
        kept = int((1 - ratio) * min(before[name].shape))
        assert max(leakage(before[name], after[name], kept)) < 1e-4
        assert max(leakage(before[name], after[name], kept + 1)) > 1e-4  # the next direction is free
        change = torch.linalg.svdvals(after[name] - before[name])
        assert int((change > 1e-4 * change[0]).sum()) <= 2 * (min(before[name].shape) - kept)


def test_the_saved_model_is_a_plain_one_and_says_what_the_trained_one_said(make_run: MakeRun, tiny: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from training_hub.data.prepare import prepare

    run = osft(make_run, recipe={"num_train_epochs": 3})
    metrics = train(run, run.read_config())["metrics"]
    model = AutoModelForCausalLM.from_pretrained(run.final_checkpoint)
    assert type(model).__name__ == "LlamaForCausalLM"
    assert weights(run.final_checkpoint).keys() == weights(tiny).keys()
    total, tokens = 0.0, 0
    for row in prepare(AutoTokenizer.from_pretrained(tiny), run.read_config()["data"]).eval:
        ids, labels = (torch.tensor(array.astype("int64")) for array in row)
        logits = model(input_ids=ids[None]).logits[0, :-1]
        total += torch.nn.functional.cross_entropy(logits, labels[1:], reduction="sum").item()
        tokens += int((labels[1:] != -100).sum())
    assert metrics["eval_loss_after"] == pytest.approx(total / tokens, rel=1e-5)


def test_only_the_layers_that_were_named_are_split(make_run: MakeRun, tiny: Path) -> None:
    run = osft(make_run, adapter=osf(patterns=["layers.0.mlp", "self_attn.q_proj"]))
    train(run, run.read_config())
    before, after = weights(tiny), weights(run.final_checkpoint)
    changed = [name for name in before if not before[name].equal(after[name])]
    assert sorted(name.removeprefix("model.layers.").removesuffix(".weight") for name in changed) == [
        "0.mlp.down_proj", "0.mlp.gate_proj", "0.mlp.up_proj", "0.self_attn.q_proj", "1.self_attn.q_proj",
    ]  # fmt: skip


def test_a_pattern_that_matches_nothing_is_one_line(make_run: MakeRun) -> None:
    run = osft(make_run, adapter=osf(patterns=["q_proj", "down_porj"]))
    with pytest.raises(ConfigError, match=r"^target_patterns=down_porj: matches no linear.*; did you mean down_proj\?"):
        train(run, run.read_config())


def test_a_matrix_of_which_nothing_would_be_kept_is_one_line(make_run: MakeRun) -> None:
    run = osft(make_run, ratio=0.99)
    with pytest.raises(ConfigError, match=r"^unfreeze_rank_ratio=0.99: leaves nothing"):
        train(run, run.read_config())


def test_matrices_are_taken_apart_once(make_run: MakeRun, losses: Losses, monkeypatch: pytest.MonkeyPatch) -> None:
    from training_hub.workers.adapters import svd

    runs = [osft(make_run, name, ratio) for name, ratio in (("a", 0.25), ("b", 0.25), ("other_ratio", 0.5))]
    train(runs[0], runs[0].read_config())
    monkeypatch.delattr(svd, "decompose")
    for run in runs[1:]:
        train(run, run.read_config())
    assert losses(runs[0]) == losses(runs[1]) != losses(runs[2])


def test_other_weights_are_taken_apart_anew(tiny: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from training_hub.workers.adapters import svd

    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    matrix = model.model.layers[0].self_attn.q_proj.weight.detach()
    one = svd.fingerprint([matrix])
    assert one == svd.fingerprint([matrix.clone()]) == svd.fingerprint([matrix.bfloat16()])
    matrix[0, 0] += 1e-6
    assert one != svd.fingerprint([matrix])


def test_answers_are_those_of_the_model_as_it_is_then(make_run: MakeRun) -> None:
    run = osft(make_run, ratio=0.9, recipe={"max_steps": 60}, backend={"sample_prompts": ["count"]})
    train(run, run.read_config())
    before, after = run.read_samples()
    assert before["answer"] != after["answer"]


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(make_run: MakeRun, losses: Losses) -> None:
    run = osft(make_run, recipe={"num_train_epochs": 2, "ddp_find_unused_parameters": False})
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, "-m", "training_hub.worker", str(run.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert losses(run) == pytest.approx(RECORDED, abs=1e-4)
    result = run.read_result()
    assert result is not None
    assert max(result.metrics["leakage_u"], result.metrics["leakage_v"]) < 1e-4
