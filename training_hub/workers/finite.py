"""Whether weights are numbers: those that a model comes with, and those that training leaves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load

from training_hub.errors import RunFailed, ruined

_MODELS = ("*.safetensors", "pytorch_model*.bin", "pytorch_model*/.metadata")


@torch.no_grad()
def of_model(model: torch.nn.Module) -> str | None:
    """The first weight that holds NaN or an infinity, None where all are numbers. Of a buffer, NaN: a mask has -inf."""
    for name, value in model.named_parameters():
        if not _finite(value):
            return name
    return next((name for name, value in model.named_buffers() if not _finite(value) and value.isnan().any()), None)


@torch.no_grad()
def of_files(files: Iterable[Path]) -> str | None:
    """The same of files, see `stored`. UnpicklingError for one that is pickled and holds more than tensors."""
    return next((name for file in files for name, value in stored(file) if not _finite(value)), None)


def of_folder(folder: Path) -> str | None:
    """The same of all models in a folder and below it: whole ones, and in the formats that FSDP saves states in."""
    return of_files(file for pattern in _MODELS for file in folder.rglob(pattern))


def stored(file: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Names and tensors of a file, one at a time: safetensors, pickled, or the `.metadata` of a sharded checkpoint."""
    if file.suffix == ".safetensors":
        with safe_open(file, framework="pt") as opened:
            yield from ((name, opened.get_tensor(name)) for name in opened.keys())  # noqa: SIM118  it is no dict
    elif file.name == ".metadata":
        yield from _sharded(file.parent)
    else:
        yield from pickled(file, "cpu")


def pickled(file: Path, device: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Names and tensors of a pickled file; on the device "meta" without their numbers."""
    held = torch.load(file, map_location=device, weights_only=True, mmap=device != "meta")
    yield from ((str(name), value) for name, value in held.items() if isinstance(value, torch.Tensor))


def _sharded(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Of what torch.distributed.checkpoint has saved, as accelerate does where FSDP_STATE_DICT_TYPE asks for it."""
    for name, told in FileSystemReader(folder).read_metadata().state_dict_metadata.items():
        if isinstance(told, TensorStorageMetadata):
            value = torch.empty(told.size, dtype=told.properties.dtype)
            load({name: value}, storage_reader=FileSystemReader(folder), no_dist=True)
            yield name, value


def _finite(value: torch.Tensor) -> bool:
    """Whether all are numbers: where their sum is one they are, and a sum takes one pass and no memory."""
    if not value.is_floating_point() or value.is_meta:
        return True
    value = value.float() if value.dtype.itemsize == 1 else value
    return bool(value.sum().isfinite()) or bool(value.isfinite().all())


def must_stay(model: torch.nn.Module, step: int) -> None:
    """RunFailed where training has left weights that are no numbers, before anything of them is saved."""
    if name := of_model(model):
        raise RunFailed(ruined(name, step))
