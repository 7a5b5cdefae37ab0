"""Adapters: PEFT methods that train a few weights next to, or inside, a model's weight matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from training_hub.model_files import ITEM_SIZES, MemoryFloor, Size
from training_hub.params import Checked, Text, param

# Arguments of every config class of PEFT that the worker sets itself; "" where there is no parameter for it.
RESERVED = {
    "task_type": "",
    "peft_type": "",
    "auto_mapping": "",
    "peft_version": "",
    "base_model_name_or_path": "model_path",
    "revision": "model.revision",
    "inference_mode": "",
}


class NoParams(Checked):
    """For an adapter without parameters of its own."""


class NoNode(Checked):
    """`adapter` where all weights are trained: empty."""

    target: Text | None = Field(None, alias="_target_", description="the class")


class AdapterNode(Checked):
    """`adapter`: the class, and the arguments of PEFT's config class, which are checked against the library."""

    target: Text = Field(alias="_target_", description="the class")
    peft: dict[str, Any] = param("PEFT's config class and its arguments")


class Adapter:
    """No adapter: all weights are trained.

    Params: its parameters. Nodes: class of its node and of nodes inside it, by dotted path. reserved: arguments of PEFT
    that the worker sets, with the parameter to use instead.
    """

    Params: ClassVar[type[Checked]] = NoParams
    Nodes: ClassVar[Mapping[str, type[Checked]]] = {"adapter": NoNode}
    reserved: ClassVar[Mapping[str, str]] = {}

    def __init__(self, **settings: Any) -> None:
        """settings: those of the node `adapter`."""
        self.settings = settings

    def check(self, config: Mapping[str, Any]) -> list[str]:
        """What does not go together, one line each, in the front."""
        return []

    def memory_floor(self, config: Mapping[str, Any], size: Size) -> MemoryFloor:
        """What one process holds at least: here all weights with their gradients and moments; auto is float32."""
        item_size = ITEM_SIZES.get(config["model"]["dtype"], 4)
        return MemoryFloor.of_all(size.parameters, item_size, config["recipe"].get("optim"))
