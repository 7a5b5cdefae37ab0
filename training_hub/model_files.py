"""What a model's files say of its size. Nothing of the model is loaded, and nothing is downloaded."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training_hub.user import home

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_PLAIN = ("F64", "F32", "F16", "BF16")  # what else a file may hold is packed
_TWO_MOMENTS = ("adamw_torch", "adamw_torch_fused")  # for each trained weight, in its type
ITEM_SIZES = {"float32": 4, "float16": 2, "bfloat16": 2}  # bytes


@dataclass(frozen=True)
class Size:
    """parameters: of the model, tied ones counted once. stored: bytes of the files."""

    parameters: int
    stored: int


@dataclass(frozen=True)
class MemoryFloor:
    """Bytes that one process holds at least, whatever the rows are."""

    weights: int
    gradients: int = 0
    optimizer: int = 0

    @property
    def total(self) -> int:
        """All of it: at the end of a step it is there together."""
        return self.weights + self.gradients + self.optimizer

    @classmethod
    def of_all(cls, parameters: int, item_size: int, optimizer: str | None) -> MemoryFloor:
        """Where all weights are trained. optimizer: its name; of one that is not AdamW's kind nothing is certain."""
        weights = parameters * item_size
        return cls(weights, weights, 2 * weights if optimizer in _TWO_MOMENTS else 0)


def size_of(path: str) -> Size | None:
    """The size of a model in a folder or in the hub's cache; None where its files do not say.

    They do not where they are no safetensors, or hold packed numbers: several parameters in one.
    """
    folder = folder_of(path)
    files = sorted(folder.glob("model*.safetensors")) if folder else []
    try:
        tensors = {name: each for file in files for name, each in header(file).items()}
        tied = json.loads((folder / "config.json").read_bytes()).get("tie_word_embeddings") if folder else None
    except (OSError, ValueError, AttributeError):
        return None
    if not tensors or any(each.get("dtype") not in _PLAIN for each in tensors.values()):
        return None
    if tied:
        tensors.pop("lm_head.weight", None)
    return Size(sum(math.prod(each["shape"]) for each in tensors.values()), stored_bytes(path))


def largest_id(config: object) -> int | None:
    """The largest token id that the embedding of a model has a row for, by its config.json; None where it says none."""
    inner = [config.get("text_config"), config] if isinstance(config, dict) else []
    sizes = (each.get("vocab_size") for each in inner if isinstance(each, dict))
    return next((size - 1 for size in sizes if type(size) is int and size > 0), None)


def stored_bytes(path: str) -> int:
    """Bytes of the files that hold a model's weights, 0 where there are none here."""
    folder = folder_of(path)
    found = (list(folder.glob(pattern)) for pattern in _WEIGHTS) if folder else iter(())
    return sum(file.stat().st_size for file in next(filter(None, found), []))


def header(file: Path) -> dict[str, dict[str, Any]]:
    """Name -> dtype and shape of each tensor in a safetensors file: its first bytes. ValueError where it is none."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > file.stat().st_size:
            raise ValueError(f"{file}: no safetensors file")
        found = json.loads(opened.read(length))
    return {name: dict(each) for name, each in found.items() if name != "__metadata__"}


def is_complete(folder: Path) -> bool:
    """Whether all weights of a model in a folder are there to their last byte, as safetensors."""
    files, index = list(folder.glob("*.safetensors")), folder / "model.safetensors.index.json"
    try:
        named = set(json.loads(index.read_bytes())["weight_map"].values()) if index.exists() else set()
        return bool(files) and named <= {file.name for file in files} and all(map(_is_whole, files))
    except (OSError, ValueError, KeyError):
        return False


def _is_whole(file: Path) -> bool:
    ends = [each["data_offsets"][1] for each in header(file).values()]
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
    return file.stat().st_size == 8 + length + max(ends, default=0)


def folder_of(path: str) -> Path | None:
    """The folder that a model lies in: its own, or the newest in the hub's cache; None where it is not here."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    snapshots = hub_cache(path) / "snapshots"
    found = sorted(snapshots.iterdir(), key=lambda each: each.stat().st_mtime) if snapshots.is_dir() else []
    return found[-1] if found else None


def hub_cache(model_id: str) -> Path:
    """Where the hub's files of a model are kept on this machine, if they are."""
    caches = os.environ.get("XDG_CACHE_HOME") or home() / ".cache"
    own = os.environ.get("HF_HOME") or Path(caches) / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(own) / "hub") / f"models--{model_id.replace('/', '--')}"
