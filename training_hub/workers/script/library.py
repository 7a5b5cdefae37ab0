"""What has to be known of a library whose script is run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

Row = dict[str, float | None]


class Library(ABC):
    """A library, as one run uses it.

    distribution: its name for pip. metrics: the file in its folder that it logs to. max_tokens: what one process holds
    at a time. saves_at_end: whether it saves the model after the last step. saves_on_demand: whether it saves and ends
    when the file of CHECKPOINT_TRIGGER_FILENAME appears. variables: what its script's environment needs. done: steps
    that were done before the script began, which counts from 1 again. kept: what of it belongs into a checkpoint.
    """

    name: ClassVar[str]
    distribution: ClassVar[str]
    metrics: ClassVar[str]
    variables: ClassVar[Mapping[str, str]] = {}
    kept: ClassVar[tuple[str, ...]] = ("tokens", "trained", "seconds")
    saves_on_demand = False

    def __init__(self, recipe: Mapping[str, Any], max_tokens: int, saves_at_end: bool) -> None:
        self.recipe, self.max_tokens, self.saves_at_end = recipe, max_tokens, saves_at_end
        self.module = str(recipe["_target_"])
        self.tokens = 0
        self.trained = 0
        self.seconds = 0.0
        self.began: float | None = None
        self.done = 0

    @abstractmethod
    def total_steps(self, rows: int) -> int:
        """Optimizer steps of the whole run, 0 where nobody can know."""

    @abstractmethod
    def read(self, logged: Mapping[str, Any]) -> list[Row]:
        """One line of the library's metrics as rows of the project's schema; [] for a line about something else."""

    @abstractmethod
    def arguments(self, folder: Path) -> dict[str, Any] | None:
        """The arguments as the script's own parser returned them, from what it wrote to its folder."""

    def states(self, folder: Path, processes: int) -> dict[int, Path]:
        """The trainer's full states that the script has written to the end, by the number of epochs done."""
        return {}

    def put_back(self, state: Path, folder: Path, epochs: int) -> None:
        """Let the script find a full state, and go on from it."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """What has been counted, for a checkpoint."""
        return {name: getattr(self, name) for name in self.kept}

    def restore(self, state: Mapping[str, Any], done: int) -> None:
        """Go on counting where a checkpoint stands."""
        for name in self.kept:
            setattr(self, name, state[name])
        self.done = done

    def row(self, logged: Mapping[str, Any], tokens: float, trained: float, seconds: float) -> Row:
        """What all libraries log alike; tokens, trained and seconds are those of the step."""
        now = datetime.fromisoformat(str(logged["timestamp"])).timestamp()
        self.began = now - seconds - self.seconds if self.began is None else self.began
        self.seconds = now - self.began
        self.tokens += int(tokens)
        self.trained += int(trained)
        return {
            "step": self.done + logged["step"],
            "tokens": self.tokens,
            "trained_tokens": self.trained,
            "tokens_per_second": tokens / seconds if seconds > 0 else None,
            "seconds": self.seconds,
        }
