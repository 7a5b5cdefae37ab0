"""Weights & Biases."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import wandb

from training_hub.workers.loggers.base import Client, Facts, Row


class Wandb(Client):
    """A run at wandb, or offline in the run directory."""

    def __init__(self, node: Mapping[str, Any], facts: Facts, id: str | None) -> None:  # noqa: A002
        self.id, self._facts = id or secrets.token_hex(4), facts
        facts.run.loggers.mkdir(exist_ok=True)
        self._run = wandb.init(
            project=node["project"],
            entity=node["entity"],
            name=node["name"] or facts.name,
            group=node["group"] or facts.group,
            tags=node["tags"],
            mode=node["mode"],
            id=self.id,
            resume="allow",
            dir=str(facts.run.loggers),
            config={**facts.config, "manifest": facts.run.read_manifest()},
            allow_val_change=True,
            # The log is the run's own. What the process of the training does is of interest, not this one.
            settings=wandb.Settings(console="off", silent=True, x_stats_pid=os.getppid()),
        )
        self._run.define_metric("*", step_metric="step")
        self.url = self._run.url or str(facts.run.loggers / "wandb")

    def log(self, rows: Sequence[Row]) -> None:
        """Against the metric `step`: wandb's own counts calls."""
        for row in rows:
            self._run.log(row)

    def finish(self, result: Mapping[str, Any]) -> None:
        """The final numbers become the summary."""
        self._run.config.update({"manifest": self._facts.run.read_manifest()}, allow_val_change=True)
        self._run.summary.update({"status": result["status"], **result["metrics"]})
        self._run.finish(exit_code=0 if result["status"] == "completed" else 1)
