"""Mix two checkpoints tensor by tensor, file by file: neither is ever in memory as a whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from training_hub.errors import ConfigError, fault
from training_hub.workers.tokenizer import first_line

_INDEX = "model.safetensors.index.json"
_BESIDE = ("*.json", "*.jinja", "*.model", "*.txt", "*.py")  # all but the weights
_LEFT = (_INDEX, "trainer_state.json")


def write(request: Mapping[str, Any], folder: Path) -> str:
    """Write (1 - weight) * first + weight * second, with what stands beside the first's weights; returns its size."""
    first, second = (Weights(Path(path)) for path in (request["source"], request["other"]))
    first.must_fit(second)
    wanted = None if request["dtype"] == "auto" else getattr(torch, request["dtype"])
    sizes = [_mix(first, second, name, request["weight"], wanted, folder) for name in first.files]
    parameters, size = (sum(each) for each in zip(*sizes, strict=True))
    if len(first.files) > 1:
        index = {"metadata": {"total_size": size}, "weight_map": first.place}
        (folder / _INDEX).write_text(json.dumps(index, indent=2) + "\n")
    _copy_beside(first.folder, folder, request["dtype"])
    return f"{parameters:,} parameters, {size / 1e9:.2f} GB"


class Weights:
    """The tensors of a model folder. place: name of each -> file that it stands in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = folder / _INDEX
        if index.exists():
            self.place: dict[str, str] = json.loads(index.read_text())["weight_map"]
        else:
            self.place = dict.fromkeys(self._shapes("model.safetensors"), "model.safetensors")
        self.files = sorted(set(self.place.values()))

    def shapes(self) -> dict[str, list[int]]:
        """Shape of every tensor."""
        return {name: shape for file in self.files for name, shape in self._shapes(file).items()}

    def _shapes(self, file: str) -> dict[str, list[int]]:
        try:
            with safe_open(self.folder / file, framework="pt") as stored:
                return {name: stored.get_slice(name).get_shape() for name in stored.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            rule = f"{file} does not load: {first_line(error)}"
            raise ConfigError(fault("checkpoint", self.folder, rule, "export it first")) from error

    def must_fit(self, other: Weights) -> None:
        """ConfigError where the other one has other tensors, or other shapes."""
        mine, theirs = self.shapes(), other.shapes()
        way = "mix two checkpoints of one model; export both first where they come from different backends"
        for name in sorted(mine.keys() ^ theirs.keys()):
            lacking = other if name in mine else self
            raise ConfigError(fault("checkpoint", lacking.folder, f"has no {name}, the other has", way))
        for name in sorted(mine):
            if mine[name] != theirs[name]:
                rule = f"{name} has the shape {theirs[name]}, in the other {mine[name]}"
                raise ConfigError(fault("checkpoint", other.folder, rule, way))

    def read(self, file: str) -> Iterator[tuple[str, torch.Tensor]]:
        """The tensors of one file, one after the other."""
        with safe_open(self.folder / file, framework="pt") as stored:
            for name in stored.keys():  # noqa: SIM118  it is no dict
                yield name, stored.get_tensor(name)

    def get(self, name: str) -> torch.Tensor:
        """One tensor."""
        with safe_open(self.folder / self.place[name], framework="pt") as stored:
            found: torch.Tensor = stored.get_tensor(name)
            return found


def _mix(
    first: Weights, second: Weights, file: str, weight: float, dtype: torch.dtype | None, folder: Path
) -> tuple[int, int]:
    """Write one file; returns its parameters and bytes."""
    mixed = {}
    for name, value in first.read(file):
        if value.is_floating_point():
            between = torch.lerp(value.float(), second.get(name).float(), weight)
            mixed[name] = between.to(dtype or value.dtype)
        else:
            mixed[name] = value
    save_file(mixed, folder / file, metadata={"format": "pt"})
    tensors = mixed.values()
    return sum(each.numel() for each in tensors), sum(each.numel() * each.element_size() for each in tensors)


def _copy_beside(source: Path, folder: Path, dtype: str) -> None:
    """Config, tokenizer and generation config of the first; the config says the dtype."""
    for pattern in _BESIDE:
        for file in source.glob(pattern):
            if file.name not in _LEFT:
                shutil.copy(file, folder / file.name)
    config = json.loads((folder / "config.json").read_text())
    if dtype != "auto":
        config.pop("torch_dtype", None)
        config["dtype"] = dtype
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
