"""Singular value decompositions of a model's matrices, computed once and kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peft.tuners.osf.layer
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import PreTrainedModel

from training_hub.data.cache import cached
from training_hub.data.place import cache_folder


@contextlib.contextmanager
def from_cache(model: PreTrainedModel, names: list[str], cache_dir: str | None) -> Iterator[None]:
    """Let PEFT find the decompositions of these layers of a model in the cache of prepared data.

    A folder for each content of all the matrices together; in float32 it takes about 1.5 times their size.
    """
    weights = [model.get_parameter(f"{name}.weight").detach() for name in names]
    key = f"svd-{fingerprint(weights)}"
    folder, _ = cached(cache_folder(cache_dir), key, lambda folder: decompose(weights, folder))
    files = {weight.data_ptr(): folder / f"{number}.safetensors" for number, weight in enumerate(weights)}
    module: Any = peft.tuners.osf.layer
    computed = module.decompose_weight_matrix
    module.decompose_weight_matrix = lambda weight, top_k: parts(files[weight.data_ptr()], top_k)
    try:
        yield
    finally:
        module.decompose_weight_matrix = computed


def fingerprint(weights: list[torch.Tensor]) -> str:
    """Hash of shapes and contents, 32 characters."""
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(f"{tuple(weight.shape)}".encode())
        digest.update(weight.cpu().float().contiguous().numpy().data)
    return digest.hexdigest()[:32]


def decompose(weights: list[torch.Tensor], folder: Path) -> dict[str, Any]:
    """Write a file for each matrix, U (m, k), S (k) and V (k, n) in float32, k = min(m, n), S falling."""
    started = time.monotonic()
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
    for number, weight in enumerate(weights):
        left, middle, right = torch.linalg.svd(weight.to(device, torch.float32), full_matrices=False)
        found = {"U": left, "S": middle, "V": right}
        save_file({name: each.cpu().contiguous() for name, each in found.items()}, folder / f"{number}.safetensors")
    return {"matrices": len(weights), "seconds": round(time.monotonic() - started, 3)}


def parts(file: Path, top_k: int) -> dict[str, Any]:
    """A decomposition in PEFT's own form: the top_k strongest directions apart from the others, which are trained."""
    with safe_open(file, framework="pt") as stored:
        left, middle, right = (stored.get_slice(name) for name in ("U", "S", "V"))
        high = {"U_high": left[:, :top_k], "S_high": middle[:top_k], "V_high": right[:top_k]}
        low = {"U_low": left[:, top_k:], "S_low": middle[top_k:], "V_low": right[top_k:]}
    low = {name: torch.nn.Parameter(each.contiguous()) for name, each in low.items()}
    return {name: each.contiguous() for name, each in high.items()} | low | {"rank_high": top_k}
