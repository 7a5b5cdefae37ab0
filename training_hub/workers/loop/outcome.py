"""What a run tells about itself at its start, and what it leaves behind at its end."""

from __future__ import annotations

import resource
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from training_hub import checkpoints
from training_hub.data import notes
from training_hub.run import RunDir
from training_hub.workers import finite, models
from training_hub.workers.adapters import methods
from training_hub.workers.loop.trainer import RunTrainer

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "unsloth")


def describe(run: RunDir, trainer: RunTrainer, resolved: dict[str, Any], report: dict[str, Any]) -> None:
    """Write to the manifest what is known before the first step."""
    if not trainer.is_world_process_zero():
        return
    for text in notes.warnings(report):
        print(f"warning: {text}", flush=True)
    run.update_manifest(
        total_steps=trainer.total_steps(),
        world_size=trainer.accelerator.num_processes,
        parameters=trainer.model.num_parameters(),
        trainable_parameters=trainer.model.num_parameters(only_trainable=True),
        versions={name: _version(name) for name in LIBRARIES},
        resolved=resolved,
        data=report,
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def evaluate_at_end(trainer: RunTrainer) -> None:
    """Evaluate the model as it is now, unless that is what was done last."""
    last = trainer.progress.last_eval_step
    if trainer.evaluates and (last != trainer.state.global_step or trainer.args.load_best_model_at_end):
        trainer.evaluate()


def completed(run: RunDir, trainer: RunTrainer, config: dict[str, Any]) -> dict[str, Any]:
    """Save the final checkpoint and sum up."""
    path = None
    dtype = _dtype(config)
    if (method := methods.chosen(config)) and trainer.is_world_process_zero():
        trainer.progress.final |= method.measured(trainer.model, config, dtype)
    if config["backend"]["save_final_checkpoint"]:
        path = str(run.final_checkpoint)
        save(run, trainer, config)
    best = best_checkpoint(run, trainer)
    return {"checkpoint_path": path, "metrics": metrics(trainer), "status": "completed", "best_checkpoint_path": best}


def best_checkpoint(run: RunDir, trainer: RunTrainer) -> str | None:
    """The model that was judged best: the final one, where that is it; None where none was judged, or kept."""
    state = trainer.state
    if state.best_global_step == state.global_step and run.final_checkpoint.exists():
        return str(run.final_checkpoint)
    path = state.best_model_checkpoint
    return path if path and state.best_global_step == checkpoints.step_of(Path(path)) and Path(path).exists() else None


def save(run: RunDir, trainer: RunTrainer, config: dict[str, Any]) -> None:
    """Write the final checkpoint; returns on every rank when it is there. Training is over: weights change dtype."""
    dtype = _dtype(config)
    if trainer.is_world_process_zero():
        if method := methods.chosen(config):
            model = method.finished(trainer.model, config, dtype, trainer.kind)
        else:
            model = trainer.model if dtype is None else torch.nn.Module.to(trainer.model, dtype)
        finite.must_stay(model, trainer.state.global_step)  # also what it is merged and rounded to
        unfinished = run.unfinished / run.final_checkpoint.name
        with checkpoints.saving(run):
            models.save(model, trainer.processing_class, unfinished)
            checkpoints.sync_all(unfinished)
            checkpoints.publish(unfinished, run.final_checkpoint)
    trainer.accelerator.wait_for_everyone()


def _dtype(config: dict[str, Any]) -> torch.dtype | None:
    """Type of the saved weights, None for auto: the one they were trained in."""
    wanted = config["backend"]["save_dtype"]
    return None if wanted == "auto" else getattr(torch, wanted)


def interrupted(run: RunDir, trainer: RunTrainer) -> dict[str, Any]:
    """Point to the full checkpoint that the trainer saved when it stopped."""
    trainer.accelerator.wait_for_everyone()
    path = run.checkpoints / f"checkpoint-{trainer.state.global_step}"
    return {"checkpoint_path": str(path), "metrics": metrics(trainer), "status": "interrupted"}


def metrics(trainer: RunTrainer) -> dict[str, float]:
    """The final numbers of a run."""
    counted = {"steps": trainer.state.global_step, "tokens": trainer.progress.tokens}
    memory = {"peak_memory_gb": peak_memory_gb(trainer.args.device.type)}
    return trainer.progress.further.last | trainer.progress.final | counted | memory


def peak_memory_gb(device: str) -> float:
    """The most that this process has held, in units of 10**9 bytes: of the GPU's memory, else of the machine's."""
    if device == "cuda":
        return torch.cuda.max_memory_reserved() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
