"""Stop at the end of a step when a signal, or a file in the run directory, asks for it."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any

import torch
from accelerate import Accelerator
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training_hub.run import RunDir
from training_hub.workers.loop.progress import Progress

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopOnSignal(TrainerCallback):
    """After SIGTERM, SIGINT or RunDir.request_stop: finish the step, save a full checkpoint, stop.

    A second SIGINT acts as usual; a second SIGTERM is the same wish once more: batch systems signal every process, and
    torchrun then passes its own on.

    A context manager: the signals are caught inside it.
    """

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self.asked = False  # on this rank
        self.stopped = False  # agreed by all
        self.accelerator: Accelerator | None = None
        self.progress: Progress | None = None
        self._kept: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopOnSignal:
        self._kept = {number: signal.signal(number, self._ask) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if not self.asked:
            os.write(1, f"{signal.Signals(number).name}: stopping after this step\n".encode())
        self.asked = True
        if signal.SIGINT in self._kept:
            signal.signal(signal.SIGINT, self._kept.pop(signal.SIGINT))

    def _restore(self) -> None:
        for number, handler in self._kept.items():
            signal.signal(number, handler)
        self._kept = {}

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Stop where any rank was asked to."""
        if self._any_asked() and state.global_step < state.max_steps:
            self.stopped = True
            args.save_only_model = False
            if self.progress is not None:  # it is made up for when the run goes on
                self.progress.eval_due = control.should_evaluate
            control.should_log = control.should_save = control.should_training_stop = True
            control.should_evaluate = False
        return control

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Nothing more after the checkpoint."""
        if self.stopped:
            control.should_evaluate = control.should_save = False
        return control

    def _any_asked(self) -> bool:
        asked = self.asked or self._run.stop_requested()
        if self.accelerator is None or self.accelerator.num_processes == 1:
            return asked
        flag = torch.tensor(float(asked), device=self.accelerator.device)
        return bool(self.accelerator.reduce(flag, "sum") > 0)
