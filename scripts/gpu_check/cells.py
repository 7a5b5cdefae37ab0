"""One pair of algorithm and backend: through the command line, and by the library alone."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from direct import alone
from measure import Measured, flops_per_token, peak_tflops, run_measured

from training_hub.config.choices import read_option
from training_hub.config.groups import CONF
from training_hub.config.resolvers import own_python
from training_hub.installed.interpreter import missing_requirements
from training_hub.machine import hardware
from training_hub.run import RunDir

ROOT = Path(__file__).resolve().parents[2]
WARM_UP = 2  # steps that are not in the speed
NEEDED = {"osft": ["unfreeze_rank_ratio=0.25"], "dpo": ["data_path=pairs.jsonl"]}


@dataclass(frozen=True)
class Cell:
    """A pair."""

    algorithm: str
    backend: str


@dataclass(frozen=True)
class Settings:
    """What all pairs share. folder: holds rows.jsonl and pairs.jsonl. length: tokens per row. pythons: by backend."""

    folder: Path
    model: Path
    gpus: int
    steps: int
    batch: int
    length: int
    rehearse: bool
    pythons: dict[str, str] = field(default_factory=dict)

    def python(self, backend: str) -> str | None:
        """The interpreter of a backend where it is not this one: as given, or that of an environment of its own."""
        return self.pythons.get(backend) or own_python(backend, read_option("backend", backend)["requires"])

    def environment(self) -> dict[str, str]:
        """What the commands run in: where this is rehearsed, the tests' stand-in for CUDA is on their path."""
        if not self.rehearse:
            return dict(os.environ)
        path = [str(ROOT / "tests" / "backends" / "cpu"), str(ROOT)]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}


def all_cells() -> list[Cell]:
    """Every pair that has a recipe."""
    return [Cell(path.parent.name, path.stem) for path in sorted((CONF / "recipe").glob("*/*.yaml"))]


def check(cell: Cell, settings: Settings) -> dict[str, Any]:
    """Everything that is to be told of a pair. status: ok, missing (with the reason) or failed (with the last line)."""
    found: dict[str, Any] = {"algorithm": cell.algorithm, "backend": cell.backend}
    if missing := missing_requirements(read_option("backend", cell.backend)["requires"], settings.python(cell.backend)):
        return found | {"status": "missing", "reason": ", ".join(missing)}
    run = RunDir(settings.folder / f"{cell.algorithm}_{cell.backend}")
    ours = run_measured(command(cell, settings, run), settings.folder, settings.environment())
    if ours.status:
        return found | {"status": "failed", "reason": (run.log_tail(400) or ours.output).strip().splitlines()[-1]}
    found |= {"status": "ok", "seconds": ours.seconds, **numbers(cell, settings, run, ours)}
    shutil.rmtree(run.path)  # the next one needs the room
    return found | by_the_library(cell, settings)


def by_the_library(cell: Cell, settings: Settings) -> dict[str, Any]:
    """How long the library alone takes, {} where it cannot do the same alone."""
    run = RunDir(settings.folder / f"{cell.algorithm}_{cell.backend}_alone")
    try:
        words = alone(cell, settings, command(cell, settings, run))
    except subprocess.CalledProcessError as error:
        return {"library_failed": error.stderr.strip().splitlines()[-1]}
    if not words:
        return {}
    done = run_measured(words, settings.folder, settings.environment())
    shutil.rmtree(run.path, ignore_errors=True)
    return {"library_failed": done.output[-3000:]} if done.status else {"library_seconds": done.seconds}


def command(cell: Cell, settings: Settings, run: RunDir) -> list[str]:
    """The command line."""
    words = {
        "algorithm": cell.algorithm, "backend": cell.backend, "model_path": settings.model, "data_path": "rows.jsonl",
        "output_dir": run.path, "nproc_per_node": settings.gpus, "effective_batch_size": settings.batch,
        "max_seq_len": 2 * settings.length, "max_tokens_per_gpu": max(8192, 2 * settings.length), "lr": "1e-5",
        "data.cache_dir": settings.folder / "cache", "save_final_checkpoint": "false",
    }  # fmt: skip
    words |= {"backend.python": path} if (path := settings.python(cell.backend)) else {}
    words |= {"backend.needs_gpu": "false"} if settings.rehearse else {}
    words |= dict(text.split("=", 1) for text in NEEDED.get(cell.algorithm, ()))
    return [sys.executable, "-m", "training_hub", *(f"{name}={value}" for name, value in words.items())]


def numbers(cell: Cell, settings: Settings, run: RunDir, ours: Measured) -> dict[str, Any]:
    """What a run's metrics say."""
    rows = [row for row in run.read_metrics() if row["loss"] is not None]
    speed = statistics.median(row["tokens_per_second"] for row in rows[WARM_UP:] if row["tokens_per_second"])
    flops = flops_per_token(settings.model, settings.length, adapter=cell.algorithm == "lora_sft")
    peak = peak_tflops(hardware.gpus()[0].name if hardware.gpus() else None) * 1e12 * settings.gpus
    return {
        "first_losses": [row["loss"] for row in rows[:3]],
        "tokens_per_second": speed,
        "peak_memory_gb": ours.peak_memory_gb,
        "utilisation": None if cell.algorithm == "dpo" else speed * flops / peak,
    }
