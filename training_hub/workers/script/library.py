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
    when the file of CHECKPOINT_TRIGGER_FILENAME appears. variables: what its script's environment needs.
    """

    name: ClassVar[str]
    distribution: ClassVar[str]
    metrics: ClassVar[str]
    variables: ClassVar[Mapping[str, str]] = {}
    saves_on_demand = False

    def __init__(self, recipe: Mapping[str, Any], max_tokens: int, saves_at_end: bool) -> None:
        self.recipe, self.max_tokens, self.saves_at_end = recipe, max_tokens, saves_at_end
        self.module = str(recipe["_target_"])
        self.tokens = 0
        self.trained = 0
        self.began: float | None = None

    @abstractmethod
    def total_steps(self, rows: int) -> int:
        """Optimizer steps of the whole run, 0 where nobody can know."""

    @abstractmethod
    def read(self, logged: Mapping[str, Any]) -> list[Row]:
        """One line of the library's metrics as rows of the project's schema; [] for a line about something else."""

    @abstractmethod
    def arguments(self, folder: Path) -> dict[str, Any] | None:
        """The arguments as the script's own parser returned them, from what it wrote to its folder."""

    def row(self, logged: Mapping[str, Any], tokens: float, trained: float, seconds: float) -> Row:
        """What all libraries log alike; tokens, trained and seconds are those of the step."""
        now = datetime.fromisoformat(str(logged["timestamp"])).timestamp()
        self.began = now - seconds if self.began is None else self.began
        self.tokens += int(tokens)
        self.trained += int(trained)
        return {
            "step": logged["step"],
            "tokens": self.tokens,
            "trained_tokens": self.trained,
            "tokens_per_second": tokens / seconds if seconds > 0 else None,
            "seconds": now - self.began,
        }
