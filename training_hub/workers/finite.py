"""Whether weights are numbers: those that a model comes with, and those that training leaves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import safe_open

from training_hub.errors import RunFailed, ruined


@torch.no_grad()
def of_model(model: torch.nn.Module) -> str | None:
    """The first weight that holds NaN or an infinity, None where all are numbers. Of a buffer, NaN: a mask has -inf."""
    for name, value in model.named_parameters():
        if not _finite(value):
            return name
    return next((name for name, value in model.named_buffers() if not _finite(value) and value.isnan().any()), None)


@torch.no_grad()
def of_files(files: Iterable[Path]) -> str | None:
    """The same of safetensors files."""
    for file in files:
        with safe_open(file, framework="pt") as stored:
            for name in stored.keys():  # noqa: SIM118  it is no dict
                if not _finite(stored.get_tensor(name)):
                    return str(name)
    return None


def of_folder(folder: Path) -> str | None:
    """The same of all such files in a folder and below it."""
    return of_files(folder.rglob("*.safetensors"))


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
