"""Weights that are not the model's, or no numbers: what loads them says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training_hub.errors import ConfigError

pytestmark = pytest.mark.needs("transformers", "torch", "accelerate")
Tensors = dict[str, Any]
Spoil = Callable[[Tensors], Tensors]
Check = Callable[[Path], Any]
FIRST = "model.layers.0.mlp.up_proj.weight"


def node(folder: Path) -> dict[str, Any]:
    return {"path": str(folder), "revision": None, "trust_remote_code": False}


def load(folder: Path) -> Any:
    from training_hub.workers import weights

    return weights.load(node(folder))


def check_files(folder: Path) -> Any:
    from training_hub.workers import weights

    return weights.check_files(node(folder))


@pytest.fixture(params=[load, check_files])
def check(request: pytest.FixtureRequest) -> Check:
    """What loads a model, and what only looks at its files."""
    found: Check = request.param
    return found


@pytest.fixture
def spoiled(tiny: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the tiny model with other tensors, and changes of its config."""
    from safetensors.torch import load_file, save_file

    def make(spoil: Spoil = lambda tensors: tensors, **config: Any) -> Path:
        folder = tmp_path / "spoiled"
        shutil.copytree(tiny, folder)
        tensors = {name: value.clone() for name, value in load_file(folder / "model.safetensors").items()}
        save_file(spoil(tensors), folder / "model.safetensors", metadata={"format": "pt"})
        known = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(known | config))
        return folder

    return make


def renamed(prefix: str) -> Spoil:
    return lambda tensors: {prefix + name: value for name, value in tensors.items()}


def without(name: str) -> Spoil:
    return lambda tensors: {key: value for key, value in tensors.items() if key != name}


def cut(tensors: Tensors) -> Tensors:
    return tensors | {FIRST: tensors[FIRST][:, :-1].contiguous()}


def with_value(value: float) -> Spoil:
    def spoil(tensors: Tensors) -> Tensors:
        tensors[FIRST][0, 0] = value
        return tensors

    return spoil


@pytest.mark.parametrize(
    ("spoil", "config", "words"),
    [
        (renamed("_orig_mod."), {}, "was saved inside torch.compile"),
        (renamed("base_model.model."), {}, "was saved inside PEFT"),
        (without(FIRST), {}, f"1 missing ({FIRST}); the checkpoint is incomplete"),
        (cut, {}, f"1 of another shape ({FIRST})"),
        (lambda tensors: tensors | {"extra": tensors[FIRST].clone()}, {}, "1 unexpected (extra)"),
        (lambda tensors: tensors, {"num_hidden_layers": 3}, "missing (model.layers.2."),
        (lambda tensors: tensors, {"num_hidden_layers": 1}, "unexpected (model.layers.1."),
        (lambda tensors: tensors, {"model_type": "qwen3"}, "q_norm"),
        (lambda tensors: tensors, {"model_type": "gpt_neox", "architectures": None}, "GPTNeoXForCausalLM: "),
        (lambda tensors: tensors, {"tie_word_embeddings": False}, "1 missing (lm_head.weight)"),
        (lambda tensors: tensors, {"vocab_size": 401}, "of another shape"),
        (lambda tensors: tensors, {"quantization_config": {"quant_method": "foo"}}, "quant_method=foo"),
        (with_value(float("nan")), {}, f"its weights are not finite: {FIRST} holds NaN or infinity"),
        (with_value(float("-inf")), {}, f"its weights are not finite: {FIRST} holds NaN or infinity"),
    ],
)
def test_weights_that_are_not_the_models_are_refused(
    spoiled: Callable[..., Path], check: Check, spoil: Spoil, config: dict[str, Any], words: str
) -> None:
    folder = spoiled(spoil, **config)
    with pytest.raises(ConfigError) as refused:
        check(folder)
    [text] = refused.value.faults
    assert text.startswith(f"model_path={folder}: ")
    assert words in text
    assert "; " in text


def test_tensors_that_the_architecture_declares_as_left_out_or_left_over_pass(
    spoiled: Callable[..., Path], check: Check
) -> None:
    def old(tensors: Tensors) -> Tensors:
        head = {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}  # tied
        return tensors | head | {"model.layers.0.self_attn.rotary_emb.inv_freq": tensors[FIRST][0].clone()}

    check(spoiled(old))


@pytest.mark.parametrize("name", ["inv_freq", "original_inv_freq"])
def test_a_buffer_that_the_model_computes_itself_and_a_library_saved_passes(
    spoiled: Callable[..., Path], check: Check, name: str
) -> None:
    """As mini-trainer saves it."""
    check(spoiled(lambda tensors: tensors | {f"model.rotary_emb.{name}": tensors[FIRST][0].clone()}))


def test_a_model_whose_tensors_are_converted_while_loading_passes(tmp_path: Path, check: Check) -> None:
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, num_local_experts=4,
    )  # fmt: skip
    MixtralForCausalLM(config).save_pretrained(tmp_path / "experts", max_shard_size="20KB")
    assert list((tmp_path / "experts").glob("model-*.safetensors"))
    check(tmp_path / "experts")


def test_pickled_weights_load_and_code_in_them_does_not(spoiled: Callable[..., Path], check: Check) -> None:
    import torch
    from safetensors.torch import load_file

    folder = spoiled()
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    check(folder)
    torch.save({**tensors, "more": pytest.raises}, folder / "pytorch_model.bin")
    with pytest.raises(ConfigError) as refused:
        check(folder)
    assert "weights_only" not in str(refused.value)


def test_a_mask_of_infinities_is_no_ruined_weight() -> None:
    import torch

    from training_hub.workers import finite

    model = torch.nn.Linear(2, 2)
    model.register_buffer("mask", torch.full((2,), float("-inf")))
    assert finite.of_model(model) is None
    model.register_buffer("mean", torch.full((2,), float("nan")))
    assert finite.of_model(model) == "mean"


def test_large_numbers_are_numbers() -> None:
    import torch

    from training_hub.workers import finite

    model = torch.nn.Linear(4, 4)
    torch.nn.init.constant_(model.weight, torch.finfo(torch.float32).max)
    assert finite.of_model(model) is None


def keep_pickled(folder: Path, spoil: Spoil) -> None:
    import torch
    from safetensors.torch import load_file

    torch.save(spoil(load_file(folder / "model.safetensors")), folder / "pytorch_model_fsdp.bin")


def keep_sharded(folder: Path, spoil: Spoil) -> None:
    from safetensors.torch import load_file
    from torch.distributed.checkpoint.filesystem import FileSystemWriter
    from torch.distributed.checkpoint.state_dict_saver import save

    tensors, place = {"model": spoil(load_file(folder / "model.safetensors"))}, folder / "pytorch_model_fsdp_0"
    shutil.rmtree(place, ignore_errors=True)
    save(tensors, storage_writer=FileSystemWriter(place), no_dist=True)


@pytest.mark.filterwarnings("ignore:torch.distributed is (disabled, )?unavailable or uninitialized")
@pytest.mark.parametrize("keep", [keep_pickled, keep_sharded])
def test_weights_are_found_in_whatever_format_a_state_keeps_them(
    spoiled: Callable[..., Path], keep: Callable[[Path, Spoil], None]
) -> None:
    from training_hub.workers import finite

    folder = spoiled()
    keep(folder, lambda tensors: tensors)
    assert finite.of_folder(folder) is None
    keep(folder, with_value(float("nan")))
    assert str(finite.of_folder(folder)).endswith(FIRST)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(with_value(float("nan")), "its weights are not finite"), (without(FIRST), f"1 missing ({FIRST})")],
)
def test_pickled_weights_are_checked_too(spoiled: Callable[..., Path], check: Check, spoil: Spoil, words: str) -> None:
    import torch
    from safetensors.torch import load_file

    folder = spoiled()
    torch.save(spoil(load_file(folder / "model.safetensors")), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError) as refused:
        check(folder)
    assert words in str(refused.value)
