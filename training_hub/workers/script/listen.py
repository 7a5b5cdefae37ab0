"""Callbacks that hear what a library's script has measured; they cannot change how it trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from training_hub.callbacks import HOOKS, TrainingHubCallback, TrainingHubContext
from training_hub.errors import ConfigError, fault
from training_hub.run import RunDir
from training_hub.workers.callbacks import call, collect, make, overrides
from training_hub.workers.script.library import Row

HEARD = ("on_train_begin", "on_step_end", "on_log", "on_evaluate", "on_train_end", "on_metrics")
_NAMES = {"lr": "learning_rate"}  # as on the other backends


class Listeners:
    """The run's callbacks on the first machine. ConfigError where one has a hook that a script tells nothing of.

    write: is called with what callbacks have logged.
    """

    def __init__(self, run: RunDir, config: dict[str, Any]) -> None:
        self._run, self._callbacks = run, make(config)
        self._context = TrainingHubContext(output_dir=str(run.path))
        self.write: Callable[[dict[str, float]], None] = lambda logged: None
        for name, each in self._callbacks.items():
            _refuse_unheard(name, each)

    def begin(self, step: int, total_steps: int) -> None:
        """Before the first step, also of a run that goes on."""
        self._context.step, self._context.total_steps = step, total_steps
        self._call("on_train_begin")

    def row(self, row: Row) -> None:
        """A row of metrics has been written: the script logs every step, and each evaluation."""
        known = {_NAMES.get(name, name): value for name, value in row.items() if value is not None}
        context = self._context
        context.step, context.epoch = int(known.get("step", context.step)), known.get("epoch", context.epoch)
        context.loss = known.get("loss", context.loss)
        context.learning_rate = known.get("learning_rate", context.learning_rate)
        context.metrics = {name: value for name, value in known.items() if name != "step"}
        for hook in ("on_log", "on_evaluate") if "eval_loss" in known else ("on_step_end", "on_log"):
            self._call(hook)

    def end(self) -> None:
        """The script has ended."""
        self._call("on_train_end")

    def _call(self, hook: str) -> None:
        logged: dict[str, float] = {}
        for name, each in self._callbacks.items():
            context = replace(self._context, logged={})
            call(name, each, hook, context)
            collect(logged, context, name, hook)
        if logged:
            self.write(logged)
            self._context.metrics = logged
            self._call("on_metrics")


def _refuse_unheard(name: str, callback: TrainingHubCallback) -> None:
    for hook in HOOKS:
        if hook not in HEARD and overrides(callback, hook):
            rule = f"its {hook} would never be called: this backend's script does not tell of it"
            way = "use on_step_end, on_log or on_evaluate, or backend=trl"
            raise ConfigError(fault(f"callbacks.{name}._target_", type(callback).__qualname__, rule, way))
