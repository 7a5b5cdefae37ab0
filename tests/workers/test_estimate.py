"""A step on shapes alone holds what the same step holds with numbers."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoModelForCausalLM, CohereConfig, Gemma2Config, GraniteConfig, LlamaConfig

from training_hub.interfaces.adapter import Adapter
from training_hub.model_files import size_of
from training_hub.workers import models
from training_hub.workers.estimate import memory, standins, step
from training_hub.workers.estimate.tracker import Tracker
from training_hub.workers.exact_steps import loss

PROXY = {"processes": 1, "autocast": True, "chunked": True, "bits": 0, "sharded": 0, "gpu": False}
LORA = {
    "_target_": "training_hub.adapters.lora.LoRAAdapter", "merge": False,
    "quantization": {"load_in_4bit": False, "load_in_8bit": False},
    "peft": {
        "_target_": "peft.LoraConfig", "r": 4, "lora_alpha": 8, "target_modules": "all-linear", "loftq_config": {},
        "rank_pattern": {}, "alpha_pattern": {},
    },
}  # fmt: skip
OSF = {
    "_target_": "training_hub.adapters.osf.OSFAdapter", "target_patterns": None,
    "peft": {"_target_": "peft.OSFConfig", "effective_rank": 0.75},
}  # fmt: skip
SHAPE: dict[str, Any] = {
    "vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0,
}  # fmt: skip
Config = Callable[..., dict[str, Any]]


@pytest.fixture
def config(make_run: Callable[..., Any]) -> Config:
    """The config of a run on the tiny model, with changes; proxy: how it is gone through."""

    numbers = itertools.count()

    def make(proxy: dict[str, Any] | None = None, **changes: dict[str, Any]) -> dict[str, Any]:
        read: dict[str, Any] = make_run(f"run-{next(numbers)}", **changes).read_config()
        return read | {"memory_proxy": PROXY | (proxy or {})}

    return make


def parts(config: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = memory.held(config)["parts"]
    return found


def with_numbers(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The same with a real model, whose numbers are computed."""
    with monkeypatch.context() as patch:
        patch.setattr(step, "FakeTensorMode", lambda **_: contextlib.nullcontext())
        patch.setattr(models, "sketch", models.load_model)
        return parts(config)


def tensors(found: dict[str, int]) -> int:
    return sum(size for kind, size in found.items() if kind != "process")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"backend": {"packing": False}},
        {"recipe": {"gradient_checkpointing": True, "bf16": True}},
        {"adapter": LORA},
        {"adapter": OSF},
    ],
    ids=["sft", "padded", "checkpointing", "lora", "osft"],
)
def test_shapes_hold_what_numbers_hold(
    config: Config, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    asked = config(**changes)
    # Whether a mask hides anything, numbers alone tell.
    rel = 0.01 if asked["backend"]["packing"] else 0.04
    assert tensors(parts(asked)) == pytest.approx(tensors(with_numbers(asked, monkeypatch)), rel=rel)


def test_what_a_process_holds_at_least_is_among_it(config: Config, tiny: Path) -> None:
    asked = config(backend={"max_tokens_per_gpu": 16})
    size = size_of(str(tiny))
    assert size is not None
    least, found = Adapter().memory_floor(asked, size), parts(asked)
    assert found["optimizer"] == pytest.approx(least.optimizer, rel=0.01)  # and a count of steps for each weight
    assert least.weights <= found["weights"] < 1.01 * least.weights  # and the positions' frequencies
    assert found["gradients"] == least.gradients


def test_pairs_need_more_than_rows(config: Config, tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "count two words"}]
    answers = {
        name: [{"role": "assistant", "content": text}] for name, text in (("chosen", "one two"), ("rejected", "six"))
    }
    rows = tmp_path / "pairs.jsonl"
    rows.write_text(f"{json.dumps({'prompt': turns, **answers})}\n" * 4)
    data = {"path": str(rows), "eval_path": None, "format": "preference", "accepts": ["preference"]}
    recipe = {"_target_": "trl.DPOConfig", "beta": 0.1, "loss_type": ["sigmoid"], "loss_weights": None}
    found = memory.held(config(data=data, recipe=recipe, backend={"packing": False}))
    assert found["tokens"] <= 64
    assert found["parts"]["optimizer"] > 8 * found["parameters"]


def test_rows_of_the_greatest_length_stand_for_data_that_is_not_there(config: Config) -> None:
    found = memory.held(config(data={"path": "", "max_seq_len": 100}, backend={"max_tokens_per_gpu": 200}))
    assert found["tokens"] == 200


def test_checkpointing_and_fewer_tokens_take_less(config: Config) -> None:
    data = {"path": "", "max_seq_len": 100}
    whole, half = (parts(config(data=data, backend={"max_tokens_per_gpu": tokens})) for tokens in (200, 100))
    again = parts(config(data=data, backend={"max_tokens_per_gpu": 200}, recipe={"gradient_checkpointing": True}))
    assert half["activations"] < 0.6 * whole["activations"]
    assert again["activations"] < 0.6 * whole["activations"]


def test_processes_share_out_rows_and_what_fsdp_shares(config: Config) -> None:
    proxy = {"autocast": False, "chunked": False, "gpu": True, "item_size": 4, "trained_ratio": None}
    one, four = (parts(config(proxy | {"sharded": count, "processes": count})) for count in (1, 4))
    for kind in ("weights", "gradients", "optimizer"):
        assert four[kind] == pytest.approx(one[kind] / 4, abs=1)
    assert four["activations"] < one["activations"]


def test_a_copy_of_the_gradients_travels_between_processes(config: Config) -> None:
    data = {"path": "", "max_seq_len": 50}
    asked = [config({"processes": count}, data=data, backend={"effective_batch_size": count}) for count in (1, 2)]
    one, two = map(memory.held, asked)
    assert two["parts"]["workspace"] - one["parts"]["workspace"] == 4 * two["trained"]


def test_part_of_the_directions_is_held_and_trained(config: Config) -> None:
    proxy = {"autocast": False, "chunked": False, "gpu": True, "item_size": 4, "sharded": 1}
    whole, split = (parts(config(proxy | {"trained_ratio": ratio})) for ratio in (None, 0.25))
    assert split["weights"] > whole["weights"]
    assert split["gradients"] < 0.5 * whole["gradients"]


def test_packed_weights_take_less(config: Config) -> None:
    whole, packed = (parts(config({"bits": bits}, adapter=LORA)) for bits in (0, 4))
    assert packed["weights"] < whole["weights"]
    assert tensors(whole) - tensors(packed) == whole["weights"] - packed["weights"]


@pytest.mark.parametrize(
    "shape",
    [
        LlamaConfig(**SHAPE),
        GraniteConfig(**SHAPE, logits_scaling=4.0),
        Gemma2Config(**SHAPE, final_logit_softcapping=0.05, sliding_window=8),
        CohereConfig(**{name: value for name, value in SHAPE.items() if name != "head_dim"}, logit_scale=0.5),
    ],
    ids=lambda config: config.model_type,
)
def test_shapes_tell_a_plain_head_as_numbers_do(shape: Any) -> None:
    torch.manual_seed(0)
    expected = loss.has_plain_head(AutoModelForCausalLM.from_config(shape))
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert standins.has_plain_head(AutoModelForCausalLM.from_config(shape)) is expected


def test_the_worst_moment_is_remembered() -> None:
    with Tracker(vocabulary=7, share=1.0) as tracker:
        kept = torch.zeros(10)
        del kept
        for _ in range(3):
            torch.ones(100, 7)
    assert +tracker.peak == {"logits": 2800}
    assert tracker.live.total() == 0
