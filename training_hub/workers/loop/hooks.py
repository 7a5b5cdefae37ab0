"""Calls the run's callbacks from the trainer, and does what they ask for, on all ranks alike."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from transformers import TrainerCallback, TrainerControl, TrainerState

from training_hub.callbacks import TrainingHubCallback, TrainingHubContext, TrainingHubControl
from training_hub.errors import RunFailed
from training_hub.workers.callbacks import call, collect, overrides
from training_hub.workers.loop.trainer import RunTrainer

_FLAGS = [each.name for each in fields(TrainingHubControl) if each.name != "reason"]


class Hooks(TrainerCallback):
    """Every hook. Where no callback has one, nothing happens there: no context, no message between the ranks.

    stopped: why training stops before its last step, None where it does not; known to rank 0.
    """

    def __init__(self, trainer: RunTrainer, callbacks: dict[str, TrainingHubCallback]) -> None:
        self._trainer, self._callbacks = trainer, callbacks
        self._asked = TrainingHubControl()  # and not yet done
        self._known: dict[str, float] = {}
        self._over = False
        self.stopped: str | None = None

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of the callbacks. RunFailed where JSON cannot hold it."""
        kept = {name: each.state_dict() for name, each in self._callbacks.items()}
        try:
            json.dumps(kept)
        except (TypeError, ValueError) as error:
            raise RunFailed(f"callbacks: state_dict must return what JSON can hold: {error}") from error
        return kept

    def restore(self, kept: dict[str, Any]) -> None:
        """Go on from a checkpoint's state; a callback that was not there then begins."""
        for name, each in self._callbacks.items():
            if state := kept.get(name):
                each.load_state_dict(state)

    def on_train_begin(self, *event: Any, **further: Any) -> TrainerControl:
        """Before the first step."""
        return self._hook("on_train_begin", *event)

    def on_epoch_begin(self, *event: Any, **further: Any) -> TrainerControl:
        """Before an epoch."""
        return self._hook("on_epoch_begin", *event)

    def on_step_begin(self, *event: Any, **further: Any) -> TrainerControl:
        """Before a step."""
        return self._hook("on_step_begin", *event)

    def on_step_end(self, *event: Any, **further: Any) -> TrainerControl:
        """After a step: what was asked for since the last one is done now, at the latest."""
        return self._done(self._hook("on_step_end", *event))

    def on_log(self, *event: Any, **further: Any) -> TrainerControl:
        """After something was measured."""
        return self._hook("on_log", *event, measured=further["logs"])

    def on_evaluate(self, *event: Any, **further: Any) -> TrainerControl:
        """After an evaluation."""
        self._asked.should_evaluate = False
        return self._hook("on_evaluate", *event, measured=further["metrics"])

    def on_save(self, *event: Any, **further: Any) -> TrainerControl:
        """After a checkpoint."""
        self._asked.should_save = False
        return self._hook("on_save", *event)

    def on_epoch_end(self, *event: Any, **further: Any) -> TrainerControl:
        """After an epoch."""
        return self._hook("on_epoch_end", *event)

    def on_train_end(self, *event: Any, **further: Any) -> TrainerControl:
        """After the last step: from here on there is nothing to control."""
        self._over = True
        return self._hook("on_train_end", *event)

    def _hook(self, hook: str, *event: Any, measured: dict[str, float] | None = None) -> TrainerControl:
        state: TrainerState = event[1]
        control: TrainerControl = event[2]
        self._known |= measured or {}
        having = {name: each for name, each in self._callbacks.items() if overrides(each, hook)}
        if not having:
            return control
        wanted, logged = TrainingHubControl(), dict[str, float]()
        for name, each in having.items():
            if state.is_world_process_zero or each.run_on_all_ranks:
                context = self._context(state, measured)
                call(name, each, hook, context)
                _merge(wanted, context.control, name)
                collect(logged, context, name, hook)
        *flags, has_logged = self._of_any_rank([*(getattr(wanted, name) for name in _FLAGS), bool(logged)])
        if not self._over:
            control = self._agreed(dict(zip(_FLAGS, flags, strict=True)), wanted.reason, state, control)
        return self._write(logged, *event) if has_logged else control

    def _of_any_rank(self, flags: list[bool]) -> list[bool]:
        """Which flags are set on any rank."""
        accelerator = self._trainer.accelerator
        if accelerator.num_processes == 1:
            return flags
        numbers = torch.tensor(flags, dtype=torch.float32, device=self._trainer.args.device)
        return [number > 0 for number in accelerator.reduce(numbers, "sum").tolist()]

    def _write(self, logged: dict[str, float], *event: Any) -> TrainerControl:
        """Write what callbacks have logged on rank 0, and let the others hear it; called on all ranks."""
        shared = [logged]
        if self._trainer.accelerator.num_processes > 1:
            broadcast_object_list(shared)
        self._trainer.progress.write_logged(event[1], shared[0])
        return self._hook("on_metrics", *event, measured=shared[0])

    def _context(self, state: TrainerState, measured: dict[str, float] | None) -> TrainingHubContext:
        return TrainingHubContext(
            step=state.global_step,
            epoch=state.epoch or 0.0,
            loss=self._known.get("loss"),
            learning_rate=self._known.get("learning_rate"),
            is_main_process=state.is_world_process_zero,
            output_dir=str(self._trainer.run.path),
            metrics=dict(measured or self._known),
            control=TrainingHubControl(),
            total_steps=state.max_steps,
        )

    def _agreed(
        self, flags: dict[str, bool], reason: str | None, state: TrainerState, control: TrainerControl
    ) -> TrainerControl:
        """What any rank asked for, all do."""
        for name, flag in flags.items():
            setattr(self._asked, name, getattr(self._asked, name) or flag)
        self._asked.reason = self._asked.reason or reason
        if self._asked.should_evaluate and not self._trainer.evaluates:
            raise RunFailed("callbacks: one asks for an evaluation, and there are no held-out rows")
        if self._asked.is_best:
            state.best_global_step, self._asked.is_best = state.global_step, False
        return self._done(control)

    def _done(self, control: TrainerControl) -> TrainerControl:
        control.should_save = control.should_save or self._asked.should_save
        control.should_evaluate = control.should_evaluate or self._asked.should_evaluate
        if self._asked.should_training_stop:
            self.stopped = self._asked.reason
            control.should_training_stop = control.should_log = True  # the last step has a row of its own
        return control


def _merge(wanted: TrainingHubControl, asked: TrainingHubControl | None, name: str) -> None:
    if asked is None:
        return
    for flag in _FLAGS:
        setattr(wanted, flag, getattr(wanted, flag) or getattr(asked, flag))
    if asked.should_training_stop:
        wanted.reason = wanted.reason or f"callbacks.{name}: {asked.reason or 'it asked for it'}"
