"""Carry a library's metrics over into the run while they are written."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from training_hub.errors import RunFailed
from training_hub.metrics import MOST_NAMES
from training_hub.run import RunDir
from training_hub.workers.script.library import Library, Row

_KEPT = ("step", "samples", "rows", "first_loss", "final_loss", "seconds", "further")
_PLACE = ("step", "epoch", "tokens", "trained_tokens", "samples", "seconds")  # of a row


class Follower:
    """Reads what is new in the library's file. step: optimizer steps seen; rows: of metrics.

    at_epoch: by the number of epochs done, what had been counted then. tell: is called with each row.
    """

    def __init__(self, run: RunDir, library: Library) -> None:
        self._run, self._library = run, library
        self._file = run.library / library.metrics
        self._read = 0
        self._eval: tuple[float, float] | None = None
        self.first_loss: float | None = None
        self.final_loss: float | None = None
        self.seconds = 0.0
        self.step = self.samples = self.rows = 0
        self.further: dict[str, float] = {}  # the last value of each metric that callbacks have logged
        self._place: Row = {"step": 0}
        self.at_epoch: dict[int, dict[str, Any]] = {}
        self.tell: Callable[[Row], None] = lambda row: None

    def state(self) -> dict[str, Any]:
        """What has been counted, for a checkpoint."""
        return {name: getattr(self, name) for name in _KEPT} | {"library": self._library.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's state. What was written after it is cut off."""
        for name in _KEPT:
            setattr(self, name, state.get(name, getattr(self, name)))  # an older version kept less
        self._library.restore(state["library"], self.step)
        self._run.cut_back(self.rows, 0)

    def poll(self) -> None:
        """Carry over every line that is complete. RunFailed where a number is not finite."""
        if not self._file.exists():
            return
        with self._file.open("rb") as file:
            file.seek(self._read)
            lines = file.read().split(b"\n")[:-1]
        self._read += sum(len(line) + 1 for line in lines)
        for line in filter(None, lines):
            for row in self._library.read(json.loads(line)):
                self._carry_over(row)

    def _carry_over(self, row: Row) -> None:
        self.step = int(row["step"] or 0)
        loss, evaluated = row.get("loss"), row.get("eval_loss")
        if loss is not None:
            for name in ("loss", "grad_norm"):
                if not math.isfinite(value := row.get(name) or 0.0):
                    raise RunFailed(f"{name}={value}: not a number at step {self.step}; lower lr")
            self.first_loss = loss if self.first_loss is None else self.first_loss
            self.final_loss = loss
            self.seconds, self.samples = row["seconds"] or 0.0, int(row["samples"] or 0)
        if evaluated is not None:
            self._eval = (self.step, evaluated)
        self._run.append_metrics(**row)
        self._place |= {name: row[name] for name in _PLACE if row.get(name) is not None}
        self.rows += 1
        epochs = float(row["epoch"] or 0)
        if epochs.is_integer():
            self.at_epoch[int(epochs)] = self.state()
        self.tell(row)

    def write_logged(self, values: dict[str, float]) -> None:
        """Add a row about what callbacks have logged, where the last one stands. RunFailed for too many names."""
        self.further |= values
        if len(self.further) > MOST_NAMES:
            raise RunFailed(f"a run has at most {MOST_NAMES} metrics beside the core; log fewer names")
        self._run.append_metrics(**self._place, **values)
        self.rows += 1

    def final(self, total_steps: int) -> dict[str, float]:
        """The final numbers of the run."""
        found: dict[str, float] = self.further | {"steps": self.step, "tokens": self._library.tokens}
        if self.first_loss is not None and self.final_loss is not None:
            found |= {"first_loss": self.first_loss, "final_loss": self.final_loss}
        if self.seconds > 0:
            found["tokens_per_second"] = self._library.tokens / self.seconds
        if self._eval is not None and self._eval[0] == total_steps:
            found["eval_loss_after"] = self._eval[1]
        return found
