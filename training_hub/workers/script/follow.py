"""Carry a library's metrics over into the run while they are written."""

from __future__ import annotations

import json
import math

from training_hub.errors import RunFailed
from training_hub.run import RunDir
from training_hub.workers.script.library import Library, Row


class Follower:
    """Reads what is new in the library's file. step: optimizer steps seen."""

    def __init__(self, run: RunDir, library: Library) -> None:
        self._run, self._library = run, library
        self._file = run.library / library.metrics
        self._read = 0
        self._losses: list[float] = []
        self._eval: tuple[float, float] | None = None
        self._seconds = 0.0
        self.step = 0

    def poll(self) -> None:
        """Carry over every line that is complete. RunFailed where a loss is not finite."""
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
            if not math.isfinite(loss):
                raise RunFailed(f"loss={loss}: not a number at step {self.step}; lower lr")
            self._losses.append(loss)
            self._seconds = row["seconds"] or 0.0
        if evaluated is not None:
            self._eval = (self.step, evaluated)
        self._run.append_metrics(**row)

    def final(self, total_steps: int) -> dict[str, float]:
        """The final numbers of the run."""
        found: dict[str, float] = {"steps": self.step, "tokens": self._library.tokens}
        if self._losses:
            found |= {"first_loss": self._losses[0], "final_loss": self._losses[-1]}
        if self._seconds > 0:
            found["tokens_per_second"] = self._library.tokens / self._seconds
        if self._eval is not None and self._eval[0] == total_steps:
            found["eval_loss_after"] = self._eval[1]
        return found
