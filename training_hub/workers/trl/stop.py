"""Stop at the end of a step when a signal, or a file in the run directory, asks for it."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

import torch
from accelerate import Accelerator
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training_hub.run import RunDir

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopOnSignal(TrainerCallback):
    """After SIGTERM, SIGINT or RunDir.request_stop: finish the step, save a full checkpoint, stop.

    A second signal acts as usual.

    A context manager: the signals are caught inside it.
    """

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self.asked = False  # on this rank
        self.stopped = False  # agreed by all
        self.accelerator: Accelerator | None = None
        self._kept: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopOnSignal:
        self._kept = {number: signal.signal(number, self._ask) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        print(f"{signal.Signals(number).name}: stopping after this step; once more to stop at once", flush=True)
        self.asked = True
        self._restore()

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
