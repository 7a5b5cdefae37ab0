"""Whether memory and disk are enough for a run, as far as that is certain before anything is loaded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from training_hub.errors import fault
from training_hub.machine import hardware
from training_hub.model_files import ITEM_SIZES, MemoryFloor, Size, size_of, stored_bytes
from training_hub.run import RunDir

_LOG_GB = 0.001  # a little, for what a run writes besides checkpoints
_NEEDS = {"model", "recipe", "launcher", "backend", "adapter", "output_dir"}


def shortages(
    config: Mapping[str, Any], memory_floor: Callable[[Size], MemoryFloor], waits: bool, keeps_state: bool
) -> list[str]:
    """What there is too little of, one line each.

    memory_floor: the least that one process holds of a model of some size. waits: whether the processes run on this
    machine. keeps_state: whether checkpoints hold the optimizer as well. Nothing is said of a model whose files are not
    here.
    """
    size = size_of(str(config["model"]["path"])) if config.keys() >= _NEEDS else None
    if size is None:
        return []
    least = memory_floor(size)
    return [*(_memory(config, least) if waits else []), *_disk(config, size, least, keeps_state)]


def too_full(config: Mapping[str, Any]) -> list[str]:
    """Refuses an output_dir with too little room for the final checkpoint, were it no larger than the model's files."""
    folder = Path(str(config["output_dir"]))
    model = str(config["model"]["path"])
    stored = stored_bytes(model) if _saves_model(config) and Path(model).expanduser().is_dir() else 0
    needed_gb, free_gb = _LOG_GB + stored / 1e9, hardware.free_disk_gb(folder)
    if needed_gb <= free_gb:
        return []
    rule = f"{free_gb:.2f} GB are free there, the checkpoint alone needs {needed_gb:.2f} GB"
    return [fault("output_dir", folder, rule, "free some space or choose another")]


def memory_of(config: Mapping[str, Any]) -> tuple[float, str]:
    """GB that each process has on this machine, and what that is: a GPU, or its share of the memory."""
    gpus = [] if config["recipe"].get("use_cpu") is True else hardware.gpus()
    if gpus:
        return min(gpu.memory_gb for gpu in gpus), "the GPU"
    processes = int(config["launcher"]["nproc_per_node"])
    share = f", a share of 1/{processes} of it" if processes > 1 else ""
    return hardware.memory_gb() / processes, f"this machine{share}"


def _memory(config: Mapping[str, Any], least: MemoryFloor) -> list[str]:
    has_gb, what = memory_of(config)
    if least.total / 1e9 <= has_gb:
        return []
    parts = "weights, gradients and optimizer" if least.gradients else "weights"
    rule = f"its {parts} alone take {least.total / 1e9:.1f} GB in each process, {what} has {has_gb:.1f} GB"
    return [fault("model_path", config["model"]["path"], rule, "python -m training_hub estimate says what would fit")]


def _disk(config: Mapping[str, Any], size: Size, least: MemoryFloor, keeps_state: bool) -> list[str]:
    """The most that lies there at a time, less what a run that goes on has written already."""
    folder = Path(str(config["output_dir"]))
    each = _trained(config, size, least) + (least.optimizer if keeps_state else 0)
    final = _final(config, size, least) if _saves_model(config) else 0
    count, free = kept(config), hardware.free_disk_gb(folder) * 1e9
    needed = count * each + final - _written(RunDir(folder))
    if needed <= free:
        return []
    parts = [f"{count} of {each / 1e9:.2f} GB at a time"] * bool(count) + [f"the final one {final / 1e9:.2f} GB"]
    rule = f"{free / 1e9:.2f} GB are free there, its checkpoints take more: {', '.join(parts)}"
    way = "free some space, choose another" + (", or lower save_total_limit" if count > 1 else "")
    return [fault("output_dir", folder, rule, way)]


def kept(config: Mapping[str, Any]) -> int:
    """The most intermediate checkpoints that lie there at a time, 0 where none is saved.

    A new one is complete before the oldest goes. How many steps the rows make is not known here.
    """
    every, limit = config.get("save_steps"), config.get("save_total_limit")
    most = limit + 1 if limit else math.inf
    saves: list[float] = []
    if every:
        steps = config.get("max_steps")
        saves.append(steps // every if steps else most if limit else 1)
    if config.get("checkpoint_at_epoch"):
        saves.append(math.ceil(config.get("num_epochs", 1)))
    return int(min(most, sum(saves)))


def _trained(config: Mapping[str, Any], size: Size, least: MemoryFloor) -> int:
    """Bytes of the trained weights in a checkpoint: they are as large as their gradients, before these are shared."""
    whole = size.parameters * ITEM_SIZES.get(config["model"]["dtype"], 4)
    return whole if least.gradients else 0


def _saves_model(config: Mapping[str, Any]) -> bool:
    """Whether a whole model is saved at the end; of an adapter alone nothing is counted."""
    adapter = config.get("adapter")
    alone = isinstance(adapter, Mapping) and adapter.get("merge") is False
    return bool(config.get("save_final_checkpoint", True)) and not alone


def _final(config: Mapping[str, Any], size: Size, least: MemoryFloor) -> int:
    """Bytes of the final model."""
    wanted = str(config["backend"].get("save_dtype", "auto"))
    trained = _trained(config, size, least)
    return size.parameters * ITEM_SIZES[wanted] if wanted in ITEM_SIZES else trained or size.stored


def _written(run: RunDir) -> int:
    return sum(file.stat().st_size for file in run.checkpoints.rglob("*") if file.is_file())
