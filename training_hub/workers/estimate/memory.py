"""What one process of a run holds at most: what a step on shapes shows, and what it cannot show."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Any

import torch

from training_hub.workers.estimate.step import trace

_LAYER = re.compile(r"\.\d+\.")


def held(config: dict[str, Any]) -> dict[str, Any]:
    """Bytes by kind, and what was gone through. config: a backend's memory proxy, see `RecipeBackend.memory_proxy`."""
    proxy = config["memory_proxy"]
    traced = trace(config, proxy)
    parts = dict(traced.parts)
    if proxy["sharded"]:
        parts |= sharded(traced.model, proxy, parts["workspace"])
    elif proxy["processes"] > 1:  # DistributedDataParallel has a copy of them in its buckets
        parts["workspace"] += sum(each.nbytes for each in traced.model.parameters() if each.requires_grad)
    if proxy["bits"]:
        parts["weights"] -= packed(traced.model, proxy["bits"])
    if not proxy["gpu"]:
        parts["process"] = resident()
    return {
        "parts": parts,
        "parameters": traced.model.num_parameters(),
        "trained": traced.model.num_parameters(only_trainable=True),
        "tokens": traced.tokens,
    }


@functools.cache
def resident() -> int:
    """Bytes of memory that this process takes after its first step: Python and a run's libraries, and no numbers."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def sharded(model: torch.nn.Module, proxy: dict[str, Any], workspace: int) -> dict[str, int]:
    """Weights, gradients and moments of one process, shared out by FSDP.

    Beside its share it has in bfloat16 what it works on: a layer, the next one, and what is no layer; and the gradients
    of a layer before they are shared out.
    """
    sizes = {name: each.numel() for name, each in model.named_parameters()}
    layers: dict[str, int] = {}
    for name, size in sizes.items():
        if found := _LAYER.search(name):
            layers[name[: found.end()]] = layers.get(name[: found.end()], 0) + size
    layer, rest = max(layers.values(), default=0), sum(sizes.values()) - sum(layers.values())
    all_held, all_trained = _split(model, proxy["trained_ratio"])
    share, moments = proxy["item_size"] / proxy["sharded"], 2
    return {
        "weights": int(all_held * share),
        "gradients": int(all_trained * share),
        "optimizer": int(moments * all_trained * share),
        "workspace": workspace + 2 * (2 * layer + rest) + 2 * layer,
    }


def _split(model: torch.nn.Module, ratio: float | None) -> tuple[int, int]:
    """Numbers that are held and that are trained; ratio: of the directions of each matrix, None for all weights.

    A matrix (m, n) is held as U, S and V of k = min(m, n) directions.
    """
    held = trained = 0
    for name, each in model.named_parameters():
        if ratio is None or each.ndim != 2 or not _LAYER.search(name):
            held, trained = held + each.numel(), trained + (each.numel() if ratio is None or each.ndim != 2 else 0)
            continue
        sides, directions = sum(each.shape) + 1, min(each.shape)
        held, trained = held + directions * sides, trained + int(directions * ratio) * sides
    return held, trained


def packed(model: torch.nn.Module, bits: int) -> int:
    """Bytes that linear layers save where their weights are packed: bitsandbytes leaves the head as it is.

    In 4 bits, each 64 weights have a constant of 8 bits.
    """
    head = model.get_output_embeddings()  # type: ignore[operator]
    base = [
        layer.weight
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear) and layer is not head and "lora_" not in name
    ]
    each = bits / 8 + (1 / 64 if bits == 4 else 0)
    return sum(int(weight.nbytes - weight.numel() * each) for weight in base)
