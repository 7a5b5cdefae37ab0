"""instructlab-training's script in a worker."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from training_hub.run import RunDir
from training_hub.workers.script.library import Library, Row
from training_hub.workers.script.run_loop import train as train_with


class InstructLabTraining(Library):
    """instructlab-training 0.16."""

    name: ClassVar[str] = "instructlab-training"
    distribution: ClassVar[str] = "instructlab-training"
    metrics: ClassVar[str] = "training_params_and_metrics_global0.jsonl"
    kept: ClassVar[tuple[str, ...]] = (*Library.kept, "lr")

    def __init__(self, recipe: Mapping[str, Any]) -> None:
        super().__init__(recipe, recipe["max_batch_len"], bool(recipe.get("save_last")))
        self.saves_on_demand = bool(recipe.get("on_demand_checkpointing"))
        self.lr: float | None = None  # of the next step: it is logged after the scheduler has moved on

    def total_steps(self, rows: int) -> int:
        """Optimizer steps of the whole run."""
        return int(self.recipe["num_epochs"]) * math.ceil(rows / int(self.recipe["effective_batch_size"]))

    def read(self, logged: Mapping[str, Any]) -> list[Row]:
        """A line of a step. `num_tokens_rank0` is the sum over all ranks, with padding where rows are padded."""
        if "avg_loss" not in logged:
            return []
        seconds = logged["batch_size"] / logged["overall_throughput"]
        row = self.row(logged, logged["num_tokens_rank0"], logged["num_loss_counted_tokens"], seconds)
        row |= {
            "epoch": row["step"] / logged["num_epoch_steps"],
            "loss": logged["avg_loss"],
            "lr": self.lr,
            "grad_norm": logged["gradnorm"],
            "samples": logged["samples_seen"],
        }
        self.lr = logged["lr"]
        return [row]

    def states(self, folder: Path, processes: int) -> dict[int, Path]:
        """Those of the ends of epochs. What each process writes last is a zip file, whose table of contents is its end.

        One that was asked for in the middle of an epoch is of no use: going on from it, the script leaves steps out.
        """
        found = {}
        for state in (folder / "full_state").glob("epoch_*"):
            last = ["training_metadata.json", *(f"random_states_{rank}.pkl" for rank in range(processes))]
            if all(zipfile.is_zipfile(state / name) for name in last):
                found[int(state.name.partition("_")[2]) + 1] = state
        return found

    def put_back(self, state: Path, folder: Path, epochs: int) -> None:
        """The script goes on from the newest one that lies here."""
        (folder / "full_state").mkdir()
        (folder / "full_state" / f"epoch_{epochs - 1}").symlink_to(state)

    def arguments(self, folder: Path) -> dict[str, Any] | None:
        """The first line that the script logs."""
        file = folder / self.metrics
        line = next(iter(file.read_text().splitlines()), None) if file.exists() else None
        return dict(json.loads(line)) if line else None


def train(run: RunDir, config: dict[str, Any], *command: str) -> dict[str, Any]:
    """Train with instructlab-training; command: torchrun with its script."""
    return train_with(run, config, command, InstructLabTraining(config["recipe"]))
