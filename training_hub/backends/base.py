"""Backends that train by a recipe."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from training_hub.installed.interpreter import look_at, running
from training_hub.interfaces.adapter import Adapter
from training_hub.interfaces.backend import Backend
from training_hub.model_files import MemoryFloor, Size
from training_hub.params import BackendNode
from training_hub.run import TrainResult
from training_hub.trainers.base import Trainer


class RecipeBackend(Backend):
    """A library that trains by a recipe, in worker processes of its own.

    name: its file in `conf/backend/`. Node: the settings in that file. reserved: arguments of the library that the
    project's worker sets itself, each with the parameter to use instead, where the recipe names no trainer. trainer:
    what `backend.trainer` must derive from, None where there is no choice of trainers. libraries: nodes beside `recipe`
    that hold arguments of the library, by dotted path, with what is reserved of each. takes_adapter: whether its worker
    reads the node `adapter`. cannot_resume: why a run that has stopped cannot resume with it; "" where it can.
    without_flash: what happens where flash-attn is not installed. of_gpus: switches of the library that need a GPU, as
    in `recipe`.
    """

    name: ClassVar[str]
    Node: ClassVar[type[BackendNode]] = BackendNode
    reserved: ClassVar[Mapping[str, str]] = {}
    trainer: ClassVar[type[Trainer] | None] = None
    libraries: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    takes_adapter: ClassVar[bool] = False
    cannot_resume: ClassVar[str] = ""
    without_flash: ClassVar[str] = "sdpa instead"
    of_gpus: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **settings: Any) -> None:
        """settings: those of the node `backend`; empty where Python code makes the backend without a config."""
        self.settings = settings

    def context(self, algorithm: str) -> dict[str, Any]:
        """The algorithm's name: one library serves several."""
        return {"algorithm": algorithm}

    def execute_training(self, algorithm_params: dict[str, Any]) -> TrainResult:
        """Train exactly as the command line would. `algorithm_params` must hold `algorithm` beside the parameters."""
        given = dict(algorithm_params)
        from training_hub import train  # what only shows a config needs none of it

        return train.from_python(str(given.pop("algorithm")), self.name, given)

    def worker(self, config: Mapping[str, Any], run_dir: str) -> list[str]:
        """Arguments of the worker's interpreter; torchrun is the launcher's."""
        return [*running(config["backend"]["python"], "training_hub.worker")[1:], run_dir]

    def script(self, config: Mapping[str, Any], run_dir: str) -> list[str]:
        """The library's own training script, which the worker starts under torchrun, from `-m` on; [] for none."""
        return []

    def check(self, config: Mapping[str, Any]) -> list[str]:
        """What the library cannot do or is known to do wrongly with this config, one line each, in the front."""
        return []

    def memory_floor(self, config: Mapping[str, Any], adapter: Adapter, size: Size) -> MemoryFloor:
        """What one process holds at least, whatever the rows are: all of it, as nothing is shared among processes."""
        return adapter.memory_floor(config, size)

    def memory_proxy(self, config: Mapping[str, Any]) -> dict[str, Any] | None:
        """The config of a run on TRL whose steps hold what this library's hold, with a node `memory_proxy`.

        None where no such run is known: then `estimate` refuses. The node has

        processes   among which a step is dealt out
        autocast    whether products are in bfloat16 beside weights of another type, on a GPU
        chunked     whether logits are computed in tiles where they can be
        bits        4 or 8, where the model's own weights are packed, else 0
        sharded     among how many processes weights, gradients and moments are shared out; 0: each has all
        item_size   bytes of each such number; trained_ratio: share of a matrix's directions, None: all weights
        """
        return None

    def refused_callback(self, target: str) -> str | None:
        """Why a callback of that class is not called, None where it is."""
        return f"backend={self.name} calls no callbacks"

    def interpreter(self, config: Mapping[str, Any]) -> str:
        """The Python that runs the worker."""
        return str(config["backend"]["python"] or sys.executable)

    def search_path(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        """The folders that this Python finds packages in: the library that counts is the one in there."""
        return look_at(config["backend"]["python"]).search_path
