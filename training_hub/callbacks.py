"""Code of the user's that is called while a run trains: subclass `TrainingHubCallback`.

A worker under another interpreter imports this too: it needs the standard library alone.
"""

from __future__ import annotations

import inspect
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

from training_hub import metrics
from training_hub.errors import RunFailed, enumerate_names, fault, suggestion

HOOKS = (
    "on_train_begin", "on_epoch_begin", "on_step_begin", "on_step_end", "on_log", "on_evaluate", "on_save",
    "on_epoch_end", "on_train_end", "on_metrics",
)  # fmt: skip


@dataclass
class TrainingHubControl:
    """What a hook asks for: it is done at the end of the step, at the latest of the next one.

    reason: why training should stop, for the result. is_best: the model as it is now is the best so far; a checkpoint
    of it is kept whatever save_total_limit says, and named in the result.
    """

    should_save: bool = False
    should_evaluate: bool = False
    should_training_stop: bool = False
    is_best: bool = False
    reason: str | None = None


@dataclass
class TrainingHubContext:
    """Where the run stands.

    step: optimizer steps done, of total_steps. epoch: epochs done, fractional. loss, learning_rate: as last logged.
    metrics: in on_log and on_evaluate what was measured, else what was measured last. output_dir: the run directory.
    control: None where training cannot be controlled. logged: what `log` was given in this hook.
    """

    step: int = 0
    epoch: float = 0.0
    loss: float | None = None
    learning_rate: float | None = None
    is_main_process: bool = True
    output_dir: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    control: TrainingHubControl | None = None
    total_steps: int = 0
    logged: dict[str, float] = field(default_factory=dict)

    def log(self, name: str, value: float) -> None:
        """Measure something: a row of metrics.jsonl gets it, hence plots, reports, loggers and result.json.

        What is logged on rank 0 counts. ValueError for a name that is not made of letters, digits, `_`, `.`, `-` and
        `/`, or that every run has, and for a value that is not a finite number.
        """
        self.logged[name] = metrics.checked(name, value)


class TrainingHubCallback:
    """The hooks, each with the context. An exception in one fails the run.

    run_on_all_ranks: by default rank 0 alone calls them; what it asks for is done by all.
    """

    run_on_all_ranks: ClassVar[bool] = False
    _given: dict[str, Any] | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> TrainingHubCallback:
        """Note the arguments: an instance crosses to the worker as its class and these."""
        made = super().__new__(cls)
        with suppress(TypeError):  # __init__ says it better
            made._given = dict(inspect.signature(cls).bind(*args, **kwargs).arguments)
        return made

    def on_train_begin(self, context: TrainingHubContext) -> None:
        """Before the first step, also of a run that goes on."""

    def on_epoch_begin(self, context: TrainingHubContext) -> None:
        """Before the first step of an epoch."""

    def on_step_begin(self, context: TrainingHubContext) -> None:
        """Before an optimizer step."""

    def on_step_end(self, context: TrainingHubContext) -> None:
        """After an optimizer step."""

    def on_log(self, context: TrainingHubContext) -> None:
        """After something was measured: every logging_steps, and with each evaluation."""

    def on_evaluate(self, context: TrainingHubContext) -> None:
        """After the held-out rows were evaluated; also before the first step, and after the last one."""

    def on_save(self, context: TrainingHubContext) -> None:
        """After a checkpoint was saved."""

    def on_epoch_end(self, context: TrainingHubContext) -> None:
        """After the last step of an epoch."""

    def on_train_end(self, context: TrainingHubContext) -> None:
        """After the last step."""

    def on_metrics(self, context: TrainingHubContext) -> None:
        """After callbacks have logged: context.metrics has what they did. Nothing can be logged here."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of the callback, as JSON can hold it: by default nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what state_dict returned, where a run goes on."""


class EarlyStopping(TrainingHubCallback):
    """Stops when a metric has not improved by more than min_delta for `patience` measurements; keeps the best model.

    metric: eval_loss, loss, or any that the trainer or a callback logs. mode: "min" or "max", whether lower or higher
    is better; may be None where that is known, as of a loss. save_best: save a checkpoint at each improvement.
    """

    def __init__(
        self,
        patience: int = 3,
        metric: str = "eval_loss",
        min_delta: float = 0.0,
        save_best: bool = True,
        mode: str | None = None,
    ) -> None:
        self.patience, self.metric, self.min_delta, self.save_best = patience, metric, min_delta, save_best
        self._sign = metrics.sign(metric, mode)
        self.best: float | None = None
        self.best_step = self.waited = 0
        self._came: list[str] = []

    def on_evaluate(self, context: TrainingHubContext) -> None:
        """Judge a metric of the held-out rows."""
        self._note(context)
        if self._is_held_out:
            self._judge(context)

    def on_log(self, context: TrainingHubContext) -> None:
        """Judge a metric of the training rows."""
        self._note(context)
        if not self._is_held_out:
            self._judge(context)

    def on_metrics(self, context: TrainingHubContext) -> None:
        """Judge a metric that a callback has logged."""
        self._note(context)
        self._judge(context)

    def on_epoch_begin(self, context: TrainingHubContext) -> None:
        """RunFailed where a whole epoch has not measured the metric, but has measured others of its kind."""
        if context.step and any(name.startswith("eval_") == self._is_held_out for name in self._came):
            self._must_have_come()

    def on_train_end(self, context: TrainingHubContext) -> None:
        """RunFailed where the metric was never measured."""
        if context.step >= context.total_steps:
            self._must_have_come()

    @property
    def _is_held_out(self) -> bool:
        return self.metric.startswith("eval_")

    def _must_have_come(self) -> None:
        if self.best is None:
            way = suggestion(self.metric, self._came) or "choose from those that were"
            raise RunFailed(fault("metric", self.metric, "was not measured", f"{way} ({enumerate_names(self._came)})"))

    def _note(self, context: TrainingHubContext) -> None:
        self._came = list(dict.fromkeys([*self._came, *filter(_can_be_watched, context.metrics)]))

    def _judge(self, context: TrainingHubContext) -> None:
        value, control = context.metrics.get(self.metric), context.control
        if value is None or control is None:
            return
        if self.best is None or self._sign * (value - self.best) > self.min_delta:
            self.best, self.best_step, self.waited = value, context.step, 0
            control.is_best = context.step > 0
            control.should_save = self.save_best and context.step > 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            times = f"{self.waited} measurements" if self.waited > 1 else "1 measurement"
            control.reason = f"{self.metric} has not improved on {self.best:.6g} (step {self.best_step}) in {times}"
            control.should_training_stop = True

    def state_dict(self) -> dict[str, Any]:
        """The best value, where it was, how long ago, and which metrics there are."""
        return {"best": self.best, "best_step": self.best_step, "waited": self.waited, "came": self._came}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue waiting where the run stopped."""
        self.best, self.best_step, self.waited = state["best"], state["best_step"], state["waited"]
        self._came = state.get("came", [])


def _can_be_watched(name: str) -> bool:
    return name in ("loss", "eval_loss") or metrics.name_rule(name) is None
