"""Weights that cannot be those of their config.json: said from the headers alone, before anything starts."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training_hub import train
from training_hub.config.weights import weight_faults
from training_hub.errors import ConfigError

CONFIG = {"model_type": "llama", "num_hidden_layers": 2, "vocab_size": 8, "hidden_size": 4}
PARTS = ("self_attn.q_proj.weight", "mlp.up_proj.weight")
NAMES = ["model.embed_tokens.weight", *(f"model.layers.{n}.{part}" for n in range(2) for part in PARTS)]
INDEX = "model.safetensors.index.json"
Make = Callable[..., Path]


def shard(file: Path, names: list[str], value: bytes = b"\0", shape: tuple[int, int] = (8, 4)) -> None:
    size = 4 * math.prod(shape)
    held = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": [n * size, (n + 1) * size]}
        for n, name in enumerate(names)
    }
    text = json.dumps(held).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + value * size * len(names))


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A model folder with those tensors; more: changes of its config."""

    def folder(names: list[str] = NAMES, shape: tuple[int, int] = (8, 4), **more: Any) -> Path:
        (tmp_path / "config.json").write_text(json.dumps(CONFIG | more))
        shard(tmp_path / "model.safetensors", names, shape=shape)
        return tmp_path

    return folder


def said(folder: Path) -> str:
    [text] = weight_faults(str(folder))
    assert text.startswith(f"model_path={folder}: ")
    assert "; " in text
    return text.removeprefix(f"model_path={folder}: ")


def test_a_sound_model_passes(make: Make) -> None:
    assert weight_faults(str(make())) == []


@pytest.mark.parametrize(
    ("names", "wrapper"),
    [
        ([f"_orig_mod.{name}" for name in NAMES], "torch.compile"),
        ([name.replace("layers.1.", "layers.1._orig_mod.") for name in NAMES], "torch.compile"),
        ([f"module.{name}" for name in NAMES], "DistributedDataParallel"),
        ([f"base_model.model.{name}" for name in NAMES], "PEFT"),
        ([f"_fsdp_wrapped_module.{name}" for name in NAMES], "FSDP"),
    ],
)
def test_the_names_of_a_wrapper_are_recognised(make: Make, names: list[str], wrapper: str) -> None:
    assert wrapper in said(make(names))


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"num_hidden_layers": 3}, "its files hold 2 layers, and its config.json says 3"),
        ({"num_hidden_layers": 1}, "its files hold 2 layers, and its config.json says 1"),
        ({"vocab_size": 9}, "model.embed_tokens.weight is 8 x 4, and its config.json says 9 x 4"),
        ({"hidden_size": 5}, "model.embed_tokens.weight is 8 x 4, and its config.json says 8 x 5"),
    ],
)
def test_another_config_than_the_weights_have_is_named(make: Make, more: dict[str, Any], rule: str) -> None:
    assert said(make(**more)).startswith(rule)


@pytest.mark.parametrize(
    ("names", "more"),
    [
        ([*NAMES, "model.layers.2.eh_proj.weight", "model.layers.2.mlp.up_proj.weight"], {}),  # predicts a second token
        ([*NAMES, "model.mtp.layers.0.mlp.up_proj.weight"], {}),
        (NAMES, {"num_hidden_layers": 6, "model_type": "albert"}),
        (NAMES, {"vocab_size": 9, "text_config": {"vocab_size": 8}}),
        ([f"module.{name}" for name in NAMES], {"auto_map": {}}),
        (["module.proj.weight", *NAMES], {}),
        ([*NAMES, "model.layers.0.self_attn.rotary_emb.inv_freq"], {}),
    ],
)
def test_what_only_an_architecture_knows_is_left_to_the_worker(
    make: Make, names: list[str], more: dict[str, Any]
) -> None:
    assert weight_faults(str(make(names, **more))) == []


def test_a_file_that_is_cut_off_is_named(make: Make) -> None:
    file = make() / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    assert said(file.parent).startswith("model.safetensors has ")


@pytest.mark.parametrize(
    "content",
    [b"", b"short", b"\xff" * 100, (2).to_bytes(8, "little") + b"[]", (8).to_bytes(8, "little") + b'{"a": 1}',
     (20_000).to_bytes(8, "little") + b"[" * 20_000],
)  # fmt: skip
def test_what_is_no_safetensors_file_is_named(make: Make, content: bytes) -> None:
    folder = make()
    (folder / "model.safetensors").write_bytes(content)
    assert said(folder).startswith("model.safetensors is not a safetensors file; ")


def test_a_pointer_of_git_lfs_is_recognised(make: Make) -> None:
    folder = make()
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert said(folder) == "model.safetensors is a pointer of Git LFS, not the weights; run git lfs pull in the folder"


@pytest.fixture
def sharded(make: Make) -> Path:
    """A model in two files."""
    folder = make()
    (folder / "model.safetensors").unlink()
    places = {name: f"model-{1 + (n > 2)}.safetensors" for n, name in enumerate(NAMES)}
    (folder / INDEX).write_text(json.dumps({"weight_map": places}))
    for file in set(places.values()):
        shard(folder / file, [name for name in NAMES if places[name] == file])
    return folder


def test_two_sound_files_pass(sharded: Path) -> None:
    assert weight_faults(str(sharded)) == []


def test_a_file_that_the_index_names_and_that_is_not_there_is_named(sharded: Path) -> None:
    (sharded / "model-2.safetensors").unlink()
    assert said(sharded).startswith("its index names model-2.safetensors, which is not there; ")


def test_a_tensor_that_the_index_lists_and_no_file_holds_is_named(sharded: Path) -> None:
    shard(sharded / "model-2.safetensors", NAMES[3:-1])
    assert said(sharded).startswith(f"its index lists {NAMES[-1]}, but no file holds it; ")


@pytest.mark.parametrize("index", ["", "[]", "{}", '{"weight_map": 1}', "[" * 9999])
def test_an_index_that_cannot_be_read_is_named(sharded: Path, index: str) -> None:
    (sharded / INDEX).write_text(index)
    assert said(sharded).startswith(f"its {INDEX} cannot be read; ")


def test_a_tensor_that_two_files_hold_must_be_the_same_in_both(sharded: Path) -> None:
    shard(sharded / "model-2.safetensors", NAMES[2:])
    assert weight_faults(str(sharded)) == []
    shard(sharded / "model-2.safetensors", NAMES[2:], value=b"\1")
    assert f"both hold {NAMES[2]}, with different values" in said(sharded)


def test_a_folder_without_weights_is_no_model(make: Make) -> None:
    folder = make()
    (folder / "model.safetensors").unlink()
    assert said(folder).startswith("no weights in this folder")


def test_an_adapter_is_no_model(make: Make) -> None:
    folder = make()
    (folder / "adapter_config.json").write_text("{}")
    assert said(folder).startswith("holds an adapter; ")


def test_it_is_refused_before_anything_starts(make: Make, tmp_path: Path) -> None:
    folder = make([f"_orig_mod.{name}" for name in NAMES])
    (tmp_path / "rows.jsonl").write_text('{"messages": [{"role": "assistant", "content": "!"}]}\n')
    with pytest.raises(ConfigError, match=r"model_path=\S+: its tensors have the names that torch.compile gives them"):
        train.plan(train.composed([f"model_path={folder}", f"data_path={tmp_path}/rows.jsonl"]))
