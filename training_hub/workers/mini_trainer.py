"""mini-trainer's script in a worker."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from training_hub.run import RunDir
from training_hub.workers.script.library import Library, Row
from training_hub.workers.script.run_loop import train as train_with


class MiniTrainer(Library):
    """mini-trainer 0.9."""

    name: ClassVar[str] = "mini-trainer"
    distribution: ClassVar[str] = "rhai-innovation-mini-trainer"
    metrics: ClassVar[str] = "training_metrics_0.jsonl"
    # Without it the script gives up where flash-attn is missing; with it, it takes sdpa there. It means nothing else.
    variables: ClassVar[Mapping[str, str]] = {"TESTING": "true"}

    def __init__(self, recipe: Mapping[str, Any]) -> None:
        super().__init__(recipe, recipe["max_tokens_per_gpu"], bool(recipe.get("save_final_checkpoint")))

    def total_steps(self, rows: int) -> int:
        """Optimizer steps of the whole run, 0 where it ends after so many tokens, or never."""
        known = {
            "epoch": int(self.recipe["max_epochs"]) * math.ceil(rows / int(self.recipe["batch_size"])),
            "step": int(self.recipe["max_steps"]),
        }
        return known.get(self.recipe["training_mode"], 0)

    def read(self, logged: Mapping[str, Any]) -> list[Row]:
        """A line of a step, and of the evaluation after it where there was one. Idle ranks' 5 tokens count as well."""
        trained = logged["batch_num_loss_counted_tokens"]
        row = self.row(logged, logged["num_total_tokens"], trained, logged["time_per_batch"])
        where = {"step": logged["step"], "epoch": logged["step"] / logged["steps_per_epoch"]}
        known = {name: logged[name] for name in ("loss", "lr", "grad_norm")}
        found = [row | where | known | {"samples": int(logged["total_samples_accumulated"])}]
        if "val_num_batches" in logged:
            found.append(where | {"eval_loss": logged["val_loss"]})
        return found

    def arguments(self, folder: Path) -> dict[str, Any] | None:
        """What the script writes down; a few of its options are not among it."""
        file = folder / "training_params.json"
        return dict(json.loads(file.read_text())) if file.exists() else None


def train(run: RunDir, config: dict[str, Any], *command: str) -> dict[str, Any]:
    """Train with mini-trainer; command: torchrun with its script."""
    return train_with(run, config, command, MiniTrainer(config["recipe"]))
