"""Counts what was trained and writes the rows of metrics."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, NoReturn

import torch
from accelerate import Accelerator
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training_hub.errors import RunFailed
from training_hub.run import RunDir
from training_hub.workers.loop.further import Further

_KEPT = (
    "tokens", "trained", "samples", "step_seconds", "final", "last_eval_step", "row_tokens", "row_units", "row_seconds",
    "rows", "eval_due",
)  # fmt: skip


class Progress(TrainerCallback):
    """Sums over the optimizer steps of one rank and writes a row of metrics for each log of the trainer.

    Counts of rows and tokens are those of all ranks; the loss is summed over the ranks when a row is written. Time is
    that of the training steps alone, so that evaluating and saving do not slow tokens_per_second.
    """

    def __init__(self, run: RunDir, accelerator: Accelerator) -> None:
        self.run, self.accelerator = run, accelerator
        self.tokens = self.trained = self.samples = 0
        self.step_seconds = 0.0
        self.final: dict[str, float] = {}
        self.first: torch.Tensor | None = None  # loss of the first step of this process: this rank's part of the mean
        self.last_eval_step: int | None = None
        self.began = self.step_began = time.monotonic()
        self.loss = torch.zeros((), dtype=torch.float64)
        self.row_tokens = self.row_units = 0
        self.row_seconds = 0.0
        self.rows = 0
        self.seconds_before = 0.0  # of the run before it went on
        self.eval_due = False  # whether the run stopped where it would have evaluated
        self.further = Further(accelerator)

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint; called on all ranks."""
        loss = self.accelerator.reduce(self.loss.to(self.accelerator.device), "sum")
        kept = {name: getattr(self, name) for name in _KEPT} | {"further": self.further.state()}
        samples = len(self.run.read_samples())
        return kept | {"loss": float(loss), "seconds": time.monotonic() - self.began, "sampled": samples}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's state; called on all ranks. What was written after it is cut off."""
        for name in _KEPT:
            setattr(self, name, state[name])
        if "further" in state:  # a checkpoint of an older version has none
            self.further.restore(state["further"])
        self.seconds_before = state["seconds"]
        if self.accelerator.is_main_process:  # the sum over all ranks
            self.loss = torch.tensor(state["loss"], dtype=torch.float64)
            self.run.cut_back(state["rows"], state["sampled"])

    def add(self, step: dict[str, Any], loss: torch.Tensor) -> None:
        """Count one step; loss is the sum over this rank's part of its units."""
        self.loss = self.loss + loss.to("cpu", torch.float64)
        self.first = loss / max(1, step["units"]) if self.first is None else self.first
        self.tokens += step["tokens"]
        self.trained += step["trained"]
        self.samples += step["samples"]
        self.row_tokens += step["tokens"]
        self.row_units += step["units"]

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock, where it stood."""
        self.began = time.monotonic() - self.seconds_before

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock of a step."""
        self.step_began = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Stop the clock of a step; the last step always gets a row."""
        self.row_seconds += time.monotonic() - self.step_began
        control.should_log = control.should_log or state.global_step >= state.max_steps
        return control

    def write_loss(self, state: TrainerState, logs: dict[str, float]) -> None:
        """Write a row about the steps since the last one, and put the exact loss and further means into logs.

        Called on all ranks. RunFailed where a number is not finite.
        """
        total = self.accelerator.reduce(self.loss.to(self.accelerator.device, torch.float32), "sum")
        loss = float(total) / max(1, self.row_units)
        if not math.isfinite(loss):
            raise RunFailed(f"loss={loss}: not a number at step {state.global_step}; lower lr or max_grad_norm")
        self.step_seconds += self.row_seconds
        speed = self.row_tokens / self.row_seconds
        self.final |= {"final_loss": loss, "tokens_per_second": self.tokens / self.step_seconds}
        self.final.setdefault("first_loss", loss)
        logs |= {"loss": loss, **self.further.means()}
        self._append(
            state,
            loss=loss,
            lr=logs.get("learning_rate"),
            grad_norm=logs.get("grad_norm"),
            tokens_per_second=speed,
            **self.further.of_trainer(logs),
        )
        self.loss = torch.zeros((), dtype=torch.float64)
        self.row_tokens = self.row_units = 0
        self.row_seconds = 0.0

    def began_at(self) -> float:
        """The loss where training began: of the first row of metrics or, before there is one, of the first step.

        Called on all ranks.
        """
        first = torch.zeros(()) if self.first is None else self.first
        of_step = float(self.accelerator.reduce(first.to(self.accelerator.device, torch.float32), "sum"))
        return min(of_step, self.final.get("first_loss", of_step))

    def fail(self, step: int, grad_norm: float) -> NoReturn:
        """RunFailed for gradients that are not finite, in words about the loss where that is not finite either."""
        name, value = ("grad_norm", grad_norm) if self.loss.isfinite() else ("loss", float(self.loss))
        raise RunFailed(f"{name}={value}: not a number at step {step}; lower lr or max_grad_norm")

    def write_eval(self, state: TrainerState, logs: Mapping[str, float]) -> None:
        """Write a row about an evaluation. RunFailed where a number is not finite."""
        eval_loss = logs["eval_loss"]
        if not math.isfinite(eval_loss):
            way = "lower lr or max_grad_norm" if state.global_step else "check the model and the held-out rows"
            raise RunFailed(f"eval_loss={eval_loss}: not a number at step {state.global_step}; {way}")
        self.final["eval_loss_after" if state.global_step else "eval_loss_before"] = eval_loss
        self.last_eval_step = state.global_step
        self._append(state, eval_loss=eval_loss, **self.further.of_trainer(logs))

    def write_further(self, state: TrainerState, logs: Mapping[str, float]) -> None:
        """Write a row about what the trainer has logged beside losses, if anything. Called on all ranks."""
        if found := self.further.of_trainer(logs):
            self._append(state, **found)

    def write_logged(self, state: TrainerState, values: Mapping[str, float]) -> None:
        """Write a row about what callbacks have logged. Called on all ranks. RunFailed for a name that is taken."""
        if taken := values.keys() & self.final.keys():
            raise RunFailed(f"{min(taken)}: a callback has logged a name of the final numbers; choose another one")
        self._append(state, **self.further.of_callbacks(values))

    def _append(self, state: TrainerState, **values: float | None) -> None:
        self.rows += 1
        if not state.is_world_process_zero:
            return
        values |= {"step": state.global_step, "epoch": state.epoch or 0.0, "seconds": time.monotonic() - self.began}
        counts = {"tokens": self.tokens, "trained_tokens": self.trained, "samples": self.samples}
        self.run.append_metrics(**values, **counts)
        shown = {name: value for name, value in values.items() if value is not None}
        print("  ".join(f"{name}={value:.6g}" for name, value in shown.items()), flush=True)
