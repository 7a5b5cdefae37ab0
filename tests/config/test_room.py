"""Whether memory and disk are enough: what is certain before anything is loaded."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from training_hub import train
from training_hub.config.room import kept
from training_hub.errors import ConfigError
from training_hub.machine import hardware
from training_hub.model_files import Size, size_of
from training_hub.verbs.plan.text import plan_text

BYTES = {"F32": 4, "I32": 4, "U8": 1, "F8_E4M3": 1}
GIVEN = ["model_path=model", "data_path=rows.jsonl", "output_dir=run"]
ROW = {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}


def write_header(folder: Path, dtype: str = "F32", **shapes: list[int]) -> None:
    """A safetensors file of zeros, which take no room on the disk."""
    held: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + math.prod(shape) * BYTES[dtype]
        held[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(held).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(folder / "model.safetensors", 8 + len(text) + end)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of ten million weights on a machine of 1 GB with 1 GB of free disk."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROW) + "\n")
    write_header(folder, weight=[1000, 10000])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(hardware, "memory_gb", lambda: 1.0)
    monkeypatch.setattr(hardware, "free_disk_gb", lambda _: 1.0)
    return folder


def warnings(*typed: str) -> tuple[str, ...]:
    return train.plan(train.composed([*GIVEN, *typed])).warnings


def test_the_size_is_read_from_the_header(model: Path) -> None:
    assert size_of("model") == Size(10_000_000, (model / "model.safetensors").stat().st_size)


def test_a_head_that_is_the_embedding_counts_once(model: Path) -> None:
    write_header(model, **{"embed.weight": [10, 3], "lm_head.weight": [10, 3]})
    (model / "config.json").write_text('{"tie_word_embeddings": true}')
    assert size_of("model").parameters == 30  # type: ignore[union-attr]


@pytest.mark.parametrize("dtype", ["U8", "I32", "F8_E4M3"])
def test_the_size_of_packed_weights_is_not_guessed(model: Path, dtype: str) -> None:
    write_header(model, dtype, weight=[10])
    assert size_of("model") is None


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 100, (2).to_bytes(8, "little") + b"[]"])
def test_a_broken_file_has_no_size(model: Path, content: bytes) -> None:
    (model / "model.safetensors").write_bytes(content)
    assert size_of("model") is None


def test_a_model_in_the_hubs_cache_is_found(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", "cache")
    snapshot = Path("cache/models--org--name/snapshots/1")
    snapshot.mkdir(parents=True)
    write_header(snapshot, weight=[7])
    (snapshot / "config.json").write_text("{}")
    assert size_of("org/name").parameters == 7  # type: ignore[union-attr]


def test_enough_room_is_not_spoken_of(model: Path) -> None:
    assert warnings() == ()
    assert "warnings" not in plan_text(GIVEN)


def test_too_little_memory_is_told_beforehand(model: Path) -> None:
    write_header(model, weight=[100_000, 1000])
    [text] = warnings()
    assert text == (
        "model_path=model: its weights, gradients and optimizer alone take 1.6 GB in each process, this machine has "
        "1.0 GB; python -m training_hub estimate says what would fit"
    )
    assert f"\nwarnings\n  {text}\n" in plan_text(GIVEN)


@pytest.mark.parametrize(
    ("typed", "enough"),
    [
        (["recipe.optim=sgd"], True),  # 0.8 GB
        (["model.dtype=bfloat16"], True),  # 0.8 GB
        (["algorithm=lora_sft"], True),  # 0.4 GB
        (["algorithm=lora_sft", "model.dtype=float32", "nproc_per_node=2"], True),  # 0.4 GB of 0.5
        (["algorithm=lora_sft", "model.dtype=float32", "nproc_per_node=4"], False),
        (["algorithm=osft", "backend=trl", "unfreeze_rank_ratio=0.5"], True),  # 0.4 GB, its parts not counted
        (["nproc_per_node=2"], False),
    ],
)
def test_what_a_process_holds_depends_on_what_is_trained(model: Path, typed: list[str], enough: bool) -> None:
    write_header(model, weight=[100_000, 1000])
    assert (warnings(*typed, "save_final_checkpoint=false") == ()) is enough


@pytest.mark.parametrize(
    ("typed", "enough"),
    [
        ([], True),  # 0.04 GB
        (["save_steps=1"], True),  # 0.04 + 4 * 0.12, the last of which before the first goes
        (["save_steps=1", "save_total_limit=8"], False),
        (["save_steps=1", "save_total_limit=8", "max_steps=5"], True),
        (["checkpoint_at_epoch=true", "save_total_limit=8", "num_epochs=5"], True),
        (["checkpoint_at_epoch=true", "save_total_limit=null", "num_epochs=9"], False),
        (["save_steps=1", "save_total_limit=8", "algorithm=lora_sft"], True),  # an adapter alone
    ],
)
def test_the_disk_must_hold_the_checkpoints_to_come(model: Path, typed: list[str], enough: bool) -> None:
    found = warnings(*typed)
    assert (found == ()) is enough
    if not enough:
        assert found[0].startswith("output_dir=run: 1.00 GB are free there, its checkpoints take more: 9 of 0.12 GB at")


def test_only_a_whole_model_must_fit_as_it_is(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "free_disk_gb", lambda _: 0.05)
    write_header(model, weight=[2500, 10000])
    with pytest.raises(
        ConfigError, match=r"output_dir=run: 0\.05 GB are free there, the checkpoint alone needs 0\.10 GB"
    ):
        warnings("algorithm=lora_sft", "merge=true")
    assert warnings("algorithm=lora_sft", "merge=false") == ()


def test_strict_refuses_instead(model: Path) -> None:
    typed = ["save_steps=1", "save_total_limit=8"]
    with pytest.raises(ConfigError, match=r"output_dir=run: 1\.00 GB are free there"):
        warnings(*typed, "strict=true")
    assert warnings("strict=true") == ()


def test_what_a_run_has_written_is_not_counted_again(model: Path) -> None:
    before = Path("run/checkpoints/checkpoint-1")
    before.mkdir(parents=True)
    with (before / "optimizer.pt").open("wb") as file:
        file.truncate(500_000_000)  # a hole, which takes no room
    for name, text in (("manifest.json", '{"status": "failed"}'), ("overrides.yaml", "[]")):
        Path("run", name).write_text(text)
    assert warnings("save_steps=1", "save_total_limit=8", "overwrite=true") == ()


@pytest.mark.parametrize(
    ("config", "count"),
    [
        ({}, 0),
        ({"save_steps": 2, "save_total_limit": 3}, 4),
        ({"save_steps": 2, "save_total_limit": None}, 1),
        ({"save_steps": 2, "save_total_limit": None, "max_steps": 21}, 10),
        ({"save_steps": 50, "save_total_limit": 3, "max_steps": 20}, 0),
        ({"checkpoint_at_epoch": True, "save_total_limit": 3, "num_epochs": 1.5}, 2),
    ],
)
def test_how_many_checkpoints_lie_there_at_a_time(config: dict[str, Any], count: int) -> None:
    assert kept(config) == count
