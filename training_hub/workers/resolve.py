"""Settle on the machine that trains what the config leaves to it: device, precision, attention, threads."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import torch


def resolve(recipe: dict[str, Any]) -> dict[str, Any]:
    """Resolve every `auto` of a recipe: use_cpu and bf16. Returns the keys that were resolved, with their values."""
    use_cpu = recipe.get("use_cpu", "auto")
    resolved: dict[str, Any] = {"use_cpu": not torch.accelerator.is_available() if use_cpu == "auto" else use_cpu}
    bf16 = recipe.get("bf16", "auto")
    fp16 = bool(recipe.get("fp16", False))
    resolved["bf16"] = not fp16 and has_bf16(resolved["use_cpu"]) if bf16 == "auto" else bf16
    return resolved


def has_bf16(use_cpu: bool) -> bool:
    """Whether matrix products are faster in bfloat16: AVX512-BF16 or AMX on a processor, Ampere or newer on a GPU."""
    if use_cpu:
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return bool(torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False))


def max_tokens(wanted: int | None, use_cpu: bool) -> int:
    """Tokens of a micro-batch. null: 1024 on a processor, where more gains no speed and costs memory; 8192 on a GPU."""
    return (1024 if use_cpu else 8192) if wanted is None else wanted


def attention(wanted: str, use_cpu: bool) -> str:
    """The name of the attention function: auto is flash_attention_2 where it is installed on a GPU, else sdpa."""
    if wanted != "auto":
        return wanted
    return "flash_attention_2" if not use_cpu and importlib.util.find_spec("flash_attn") else "sdpa"


def share_cores() -> int:
    """Give this process its share of the machine's cores; returns the number of threads.

    torchrun sets OMP_NUM_THREADS=1 where several processes start on one machine, which leaves cores idle when the
    processes are few. Any other value of the variable is the user's and is kept.
    """
    local_world_size = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if local_world_size > 1 and os.environ.get("OMP_NUM_THREADS") == "1":
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // local_world_size))
    return torch.get_num_threads()
