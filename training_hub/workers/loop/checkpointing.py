"""Full checkpoints of a trainer: saved so that they are there in full or not at all, and gone on from exactly.

What a checkpoint holds beside the trainer's own files (weights, optimizer, scheduler, random states, position) is what
the run has counted and measured so far, so that metrics go on as if nothing had happened.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from transformers import Trainer
from transformers.trainer import TRAINER_STATE_NAME

from training_hub import checkpoints
from training_hub.checkpoints import Checkpoint
from training_hub.run import RunDir
from training_hub.workers import going_on
from training_hub.workers.loop.progress import Progress


class Checkpointing(Trainer):
    """A trainer that saves sealed checkpoints. run: where; facts: what their seals tell of the run; see `begin`."""

    run: RunDir
    progress: Progress
    facts: dict[str, Any]
    state_of_callbacks: Callable[[], dict[str, Any]] = staticmethod(dict)

    def _get_output_dir(self, trial: Any) -> str:
        """Where the trainer writes, and counts, checkpoints: they get their place when they are complete."""
        return str(self.run.unfinished)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save on all ranks, then seal the whole; the newest sound checkpoint is there all the time."""
        with checkpoints.saving(self.run):
            if self.is_world_process_zero():
                checkpoints.clear_unfinished(self.run)
            self.accelerator.wait_for_everyone()
            super()._save_checkpoint(model, trial)
            counted = self.progress.state() | {"callbacks": self.state_of_callbacks()}
            self.accelerator.wait_for_everyone()
            if self.is_world_process_zero():
                self._seal(counted)
            self.accelerator.wait_for_everyone()

    def _seal(self, counted: dict[str, Any]) -> None:
        place = self.run.checkpoint(self.state.global_step)
        unfinished = self.run.unfinished / place.name
        if self.state.best_global_step == self.state.global_step:
            self.state.best_model_checkpoint = str(place)
            self.state.save_to_json(str(unfinished / TRAINER_STATE_NAME))
        (unfinished / going_on.PROGRESS).write_text(json.dumps(counted))
        checkpoints.sync(self.run.metrics)
        step, full = self.state.global_step, not self.args.save_only_model
        checkpoints.seal(unfinished, step=step, full=full, world_size=self.accelerator.num_processes, **self.facts)
        checkpoints.publish(unfinished, place)
        best = self.state.best_model_checkpoint
        checkpoints.prune(self.run, self.args.save_total_limit, [Path(best)] if best else [])


def find(run: RunDir) -> Checkpoint | None:
    """The checkpoint that all ranks go on from, None for the beginning; the process group must be there."""
    found: list[Checkpoint | None] = [None]
    if not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0:
        found = [going_on.find(run)]
    broadcast_object_list(found)
    return found[0]
