"""What a launcher is: it turns a worker's arguments into commands, and runs a RunSpec. It never sees the recipe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from training_hub.machine import hardware
from training_hub.run import RunDir, RunSpec


class Launcher(ABC):
    """How workers are started.

    Params: the root parameters that it adds. Node: its node in the config. dropped_env: what no worker inherits.
    waits: whether `launch` waits for the run, which ends with this process; see `JobLauncher` where it does not.
    """

    Params: ClassVar[type[BaseModel]]
    Node: ClassVar[type[BaseModel]]
    dropped_env: ClassVar[tuple[str, ...]] = ()
    waits: ClassVar[bool] = True

    def __init__(self, **settings: Any) -> None:
        """settings: those of the node `launcher`."""
        self.settings = settings

    @classmethod
    @abstractmethod
    def check(cls, node: Mapping[str, Any]) -> list[str]:
        """Faults of the launcher's own settings, one line each."""

    @classmethod
    def gpus(cls, node: Mapping[str, Any]) -> tuple[int, str]:
        """How many GPUs each machine has for the workers, and what to do where they are too few."""
        return len(hardware.gpus()), ""

    @classmethod
    @abstractmethod
    def command(
        cls, node: Mapping[str, Any], python: str, worker: Sequence[str], script: Sequence[str] = ()
    ) -> list[str]:
        """The command of one machine, which runs a worker under `python`; worker: its arguments, from `-m` on.

        script: those of a library's training script; then one worker on each machine starts it under torchrun, whose
        command follows the worker's arguments. Without one, torchrun starts a worker per process.
        """

    @classmethod
    @abstractmethod
    def environment(cls, node: Mapping[str, Any]) -> dict[str, str]:
        """Variables that the workers need beside those that are there."""

    @classmethod
    def plan(cls, specs: Sequence[RunSpec], folder: Path, at_a_time: int | None = None) -> str:
        """What else there is to show of launches that are planned, as text; "" for nothing.

        folder, at_a_time: as for `JobLauncher.submit`.
        """
        return ""

    @classmethod
    @abstractmethod
    def launch(cls, spec: RunSpec, run: RunDir, each_tick: Callable[[], None]) -> int | None:
        """Run to the end, calling each_tick a few times per second; returns the exit status of the last command.

        None where the run goes on and nobody waits for it.
        """

    @classmethod
    def executes(cls, setting: str, value: Any) -> bool:
        """Whether a setting of its node names something that is executed, e.g. a line of shell.

        Such a setting counts where the user typed it, not where a file alone says it. setting: its name in the node.
        """
        return False
