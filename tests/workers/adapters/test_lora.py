"""Whole lora runs of the TRL worker on a tiny model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training_hub.errors import ConfigError
from training_hub.workers.trl import train

pytestmark = [
    pytest.mark.needs("trl", "torch", "peft"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # by PEFT
]
MakeRun = Callable[..., Any]
Losses = Callable[[Any], list[float]]

# The losses of the first steps of the tiny model with an adapter, torch 2.13 on a processor, fp32.
RECORDED = [5.77083, 5.7695, 5.73212, 5.70526, 5.65954, 5.65816]
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def lora(merge: bool = False, quantization: dict[str, Any] | None = None, **peft: Any) -> dict[str, Any]:
    """The node `adapter` as the front writes it."""
    given = {
        "_target_": "peft.LoraConfig", "r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "target_modules": "all-linear",
        "use_rslora": False, "use_dora": False, "init_lora_weights": True, "rank_pattern": {}, "alpha_pattern": {},
        "loftq_config": {},
    }  # fmt: skip
    bits = {"load_in_4bit": False, "load_in_8bit": False, "bnb_4bit_quant_type": "nf4"}
    bits |= {"bnb_4bit_compute_dtype": "float32", "bnb_4bit_use_double_quant": True}
    return {"merge": merge, "quantization": bits | (quantization or {}), "peft": given | peft}


def logits(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model.eval()(input_ids=torch.arange(5, 45).reshape(2, 20)).logits


def base(tiny: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)


def test_the_losses_of_the_first_steps_are_the_recorded_ones(make_run: MakeRun, losses: Losses) -> None:
    run = make_run(recipe={"num_train_epochs": 2}, adapter=lora())
    assert train(run, run.read_config())["status"] == "completed"
    assert losses(run) == pytest.approx(RECORDED, abs=1e-4)


@pytest.mark.parametrize("backend", [{"max_tokens_per_gpu": 1}, {"packing": False}])
def test_the_losses_depend_neither_on_micro_batches_nor_on_packing(
    make_run: MakeRun, losses: Losses, backend: dict[str, Any]
) -> None:
    run = make_run(recipe={"num_train_epochs": 2}, backend=backend, adapter=lora())
    train(run, run.read_config())
    assert losses(run) == pytest.approx(RECORDED, abs=1e-4)


def test_the_adapter_is_saved_alone_and_finds_its_model(make_run: MakeRun, tiny: Path) -> None:
    from peft import AutoPeftModelForCausalLM

    run = make_run(adapter=lora())
    train(run, run.read_config())
    folder = run.final_checkpoint
    assert not (folder / "model.safetensors").exists()
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == str(tiny.resolve())
    loaded = AutoPeftModelForCausalLM.from_pretrained(folder)
    assert (logits(loaded.float()) - logits(base(tiny))).abs().max() > 0.01
    manifest = run.read_manifest()
    assert 0 < manifest["trainable_parameters"] < manifest["parameters"]
    assert manifest["versions"]["peft"]


@pytest.mark.parametrize("changes", [{}, {"use_dora": True}, {"use_rslora": True, "rank_pattern": {"q_proj": 2}}])
def test_the_merged_model_says_what_model_and_adapter_say(
    make_run: MakeRun, tiny: Path, changes: dict[str, Any]
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    runs = [make_run(f"{merge}", backend={"save_dtype": "float32"}, adapter=lora(merge, **changes)) for merge in (0, 1)]
    for run in runs:
        train(run, run.read_config())
    apart = logits(PeftModel.from_pretrained(base(tiny), runs[0].final_checkpoint))
    merged = AutoModelForCausalLM.from_pretrained(runs[1].final_checkpoint)
    assert type(merged).__name__ == "LlamaForCausalLM"
    assert merged.state_dict().keys() == base(tiny).state_dict().keys()
    assert (logits(merged) - apart).abs().max() < 1e-5
    assert (logits(base(tiny)) - apart).abs().max() > 0.01


def test_the_merged_model_comes_in_the_dtype_of_the_model(make_run: MakeRun) -> None:
    import torch
    from safetensors.torch import load_file

    run = make_run(adapter=lora(merge=True))
    train(run, run.read_config())
    assert {value.dtype for value in load_file(run.final_checkpoint / "model.safetensors").values()} == {torch.bfloat16}


@pytest.mark.parametrize("how", ["pissa", "pissa_niter_4", "olora", "gaussian", "orthogonal"])
def test_every_initialisation_starts_from_the_model_and_learns(make_run: MakeRun, losses: Losses, how: str) -> None:
    run = make_run(adapter=lora(merge=True, init_lora_weights=how), recipe={"num_train_epochs": 2})
    metrics = train(run, run.read_config())["metrics"]
    assert losses(run)[0] == pytest.approx(RECORDED[0], abs=1e-3)
    assert metrics["eval_loss_after"] < metrics["eval_loss_before"]


@pytest.mark.gpu
@pytest.mark.needs("scipy", "bitsandbytes")
def test_loftq_is_near_the_model_and_learns(make_run: MakeRun, losses: Losses) -> None:
    run = make_run(adapter=lora(merge=True, init_lora_weights="loftq", loftq_config={"loftq_bits": 4}))
    metrics = train(run, run.read_config())["metrics"]
    assert losses(run)[0] == pytest.approx(RECORDED[0], abs=0.1)
    assert metrics["eval_loss_after"] < metrics["eval_loss_before"]


def test_the_chosen_modules_get_the_chosen_ranks(make_run: MakeRun) -> None:
    from safetensors.torch import load_file

    run = make_run(adapter=lora(target_modules=["q_proj", "down_proj"], rank_pattern={"layers.1.*q_proj": 2}))
    train(run, run.read_config())
    weights = load_file(run.final_checkpoint / "adapter_model.safetensors")
    ranks = {name.split("layers.")[1]: len(value) for name, value in weights.items() if "lora_A" in name}
    assert {name.removesuffix(".lora_A.weight"): rank for name, rank in ranks.items()} == {
        "0.self_attn.q_proj": 4, "1.self_attn.q_proj": 2, "0.mlp.down_proj": 4, "1.mlp.down_proj": 4,
    }  # fmt: skip


def test_gradient_checkpointing_changes_no_loss(make_run: MakeRun, losses: Losses) -> None:
    run = make_run(recipe={"gradient_checkpointing": True}, adapter=lora())
    train(run, run.read_config())
    assert losses(run) == pytest.approx(RECORDED[:3], abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_modules": ["q_porj"]}, r"^target_modules=q_porj: matches no linear layer.*; did you mean q_proj\?$"),
        (
            {"target_modules": ["q_proj", "nowhere"]},
            "^target_modules=nowhere: .*; its linear layers are q_proj, k_proj",
        ),
        ({"target_modules": ["q_proj", "lm_head"]}, "^target_modules=lm_head: the head takes no adapter; drop it$"),
        ({"rank_pattern": {"q_porj": 2}}, "^rank_pattern=q_porj: matches none of the modules"),
        ({"alpha_pattern": {"q_porj": 2}}, "^alpha_pattern=q_porj: matches none of the modules"),
        ({"layers_pattern": "layers"}, "^adapter.peft=peft.LoraConfig: "),
    ],
)
def test_what_does_not_fit_the_model_is_one_line(make_run: MakeRun, changes: dict[str, Any], message: str) -> None:
    run = make_run(adapter=lora(**changes))
    with pytest.raises(ConfigError, match=message):
        train(run, run.read_config())


@pytest.fixture
def wider(tiny: Path, tmp_path: Path) -> Path:
    """The tiny model in twice its width: 4 bits come in blocks of 64."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    shutil.copytree(tiny, tmp_path / "wider")
    torch.manual_seed(0)
    config = LlamaConfig.from_pretrained(tiny, hidden_size=64, intermediate_size=128, head_dim=16)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(tmp_path / "wider")
    return tmp_path / "wider"


@pytest.mark.needs("bitsandbytes")
@pytest.mark.parametrize("bits", ["load_in_4bit", "load_in_8bit"])
def test_a_quantised_model_learns_and_its_adapter_is_merged_into_whole_weights(
    make_run: MakeRun, losses: Losses, wider: Path, bits: str
) -> None:
    import torch
    from safetensors.torch import load_file

    without = {"eval_at_start": False}  # evaluating must leave no trace
    run = make_run(adapter=lora(merge=True, quantization={bits: True}), model={"path": str(wider)})
    metrics = train(run, run.read_config())["metrics"]
    assert metrics["eval_loss_after"] < metrics["eval_loss_before"]
    unseen = make_run("unseen", adapter=lora(quantization={bits: True}), model={"path": str(wider)}, backend=without)
    train(unseen, unseen.read_config())
    assert losses(unseen) == losses(run)
    weights = load_file(run.final_checkpoint / "model.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.bfloat16}
    assert not any("quant" in name or "absmax" in name for name in weights)


def test_a_model_without_the_named_modules_names_its_own(make_run: MakeRun, tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny, tmp_path / "copy")
    run = make_run(adapter=lora(target_modules=["c_attn"]), model={"path": str(tmp_path / "copy")})
    with pytest.raises(ConfigError, match=", ".join(LINEAR)):
        train(run, run.read_config())


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(make_run: MakeRun, losses: Losses) -> None:
    run = make_run(adapter=lora(), recipe={"num_train_epochs": 2})
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, "-m", "training_hub.worker", str(run.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert losses(run) == pytest.approx(RECORDED, abs=1e-4)
