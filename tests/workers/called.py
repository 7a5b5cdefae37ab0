"""Callbacks that the tests name in configs."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from training_hub import TrainingHubCallback, TrainingHubContext
from training_hub.callbacks import HOOKS


class Recorder(TrainingHubCallback):
    """Writes each hook with the step to a file."""

    def __init__(self, file: str) -> None:
        self._file = file

    def note(self, text: str) -> None:
        with open(self._file, "a") as file:  # noqa: PTH123
            file.write(f"{text}\n")


def _noting(hook: str) -> Any:
    def method(self: Recorder, context: TrainingHubContext) -> None:
        self.note(f"{hook} {context.step}/{context.total_steps} {sorted(context.metrics)}")

    return method


for _hook in HOOKS:
    setattr(Recorder, _hook, _noting(_hook))


class Asking(TrainingHubCallback):
    """Asks for something in a hook at a step."""

    def __init__(self, hook: str, step: int, wish: str) -> None:
        self._hook, self._step, self._wish = hook, step, wish
        setattr(self, hook, self._ask)

    def _ask(self, context: TrainingHubContext) -> None:
        if context.step == self._step and context.control is not None:
            setattr(context.control, self._wish, True)

    def on_log(self, context: TrainingHubContext) -> None:
        """Overridden, so that it is called; the instance has its own."""

    def on_evaluate(self, context: TrainingHubContext) -> None:
        """As on_log."""

    def on_step_end(self, context: TrainingHubContext) -> None:
        """As on_log."""

    def on_save(self, context: TrainingHubContext) -> None:
        """As on_log."""


class Failing(TrainingHubCallback):
    """A gate that closes."""

    def on_step_end(self, context: TrainingHubContext) -> None:
        raise ValueError(f"loss {context.loss} at step {context.step}")


class Counting(TrainingHubCallback):
    """Keeps a count over the lives of a run, and stops the first one."""

    def __init__(self) -> None:
        self.steps = 0

    def on_step_end(self, context: TrainingHubContext) -> None:
        self.steps += 1
        if context.step == context.total_steps:
            raise RuntimeError(f"{self.steps} steps")

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]


class OfTransformers(TrainerCallback):
    """Stops as transformers' own do."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop = state.global_step == 1


class NoCallback:
    """Has no hooks."""


class Hearing(TrainingHubCallback):
    """Writes what it hears beside a script."""

    def __init__(self, file: str) -> None:
        self._file = file

    def _note(self, hook: str, context: TrainingHubContext) -> None:
        assert context.control is None
        with open(self._file, "a") as file:  # noqa: PTH123
            file.write(f"{hook} {context.step}/{context.total_steps} {context.loss} {context.learning_rate}\n")

    def on_train_begin(self, context: TrainingHubContext) -> None:
        self._note("on_train_begin", context)

    def on_step_end(self, context: TrainingHubContext) -> None:
        self._note("on_step_end", context)

    def on_log(self, context: TrainingHubContext) -> None:
        self._note("on_log", context)

    def on_evaluate(self, context: TrainingHubContext) -> None:
        self._note("on_evaluate", context)

    def on_train_end(self, context: TrainingHubContext) -> None:
        self._note("on_train_end", context)


class Stopping(TrainingHubCallback):
    """Stops, whether there is something to stop or not."""

    def on_log(self, context: TrainingHubContext) -> None:
        context.control.should_training_stop = True  # type: ignore[union-attr]


class Scoring(TrainingHubCallback):
    """Logs a value under a name in one hook: the step, or what is given."""

    def __init__(self, hook: str = "on_log", name: str = "my/score", value: float | None = None) -> None:
        self._hook, self._name, self._value = hook, name, value


def _scoring(hook: str) -> Any:
    def method(self: Scoring, context: TrainingHubContext) -> None:
        if self._hook == hook:
            context.log(self._name, context.step if self._value is None else self._value)

    return method


for _hook in HOOKS:
    setattr(Scoring, _hook, _scoring(_hook))


class Swinging(TrainingHubCallback):
    """Logs a score that rises up to the third step and falls again, after each step; works beside a script too."""

    def on_step_end(self, context: TrainingHubContext) -> None:
        context.log("my/score", 0.5 - abs(context.step - 3) / 10)


class Breaking(TrainingHubCallback):
    """Has a checkpoint saved after a step, and fails in the next one."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_step_end(self, context: TrainingHubContext) -> None:
        context.control.should_save = context.step == self._step  # type: ignore[union-attr]

    def on_step_begin(self, context: TrainingHubContext) -> None:
        if context.step == self._step:
            raise RuntimeError(f"{self._step} steps")
