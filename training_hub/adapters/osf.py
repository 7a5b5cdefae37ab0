"""Orthogonal subspace fine-tuning by PEFT's OSF, which is no adapter beside a matrix but a split of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from training_hub.errors import fault
from training_hub.interfaces.adapter import RESERVED, Adapter, AdapterNode
from training_hub.model_files import MemoryFloor, Size
from training_hub.params import Checked, Text, param


class OSFNode(AdapterNode):
    """`adapter`: OSF."""

    target_patterns: list[Text] | None = param(
        "which weight matrices to split: substrings of module names; null: on backend=trl every linear layer except "
        "the head, on mini-trainer those that it knows for the model's architecture"
    )


class OSFAdapter(Adapter):
    """Freezes the strongest singular directions of each matrix and trains the others."""

    Nodes: ClassVar[Mapping[str, type[Checked]]] = {"adapter": OSFNode}
    reserved: ClassVar[Mapping[str, str]] = {
        **RESERVED,
        "target_modules": "target_patterns",
        "init_weights": "",
        "modules_to_save": "",
        "target_svd_config": "",
    }

    def check(self, config: Mapping[str, Any]) -> list[str]:
        """Splits of which one side is empty; weights too coarse to keep two subspaces apart."""
        ratio, dtype = config["unfreeze_rank_ratio"], config["model"]["dtype"]
        faults = []
        if ratio == 0:
            faults.append(fault("unfreeze_rank_ratio", ratio, "nothing would be trained", "give more than 0"))
        if ratio == 1:
            way = "use algorithm=sft, which trains all of it"
            faults.append(fault("unfreeze_rank_ratio", ratio, "nothing of the matrices would be kept", way))
        if dtype not in ("auto", "float32"):
            faults.append(
                fault("model.dtype", dtype, "too coarse to keep what must stay", "drop it, osft takes float32")
            )
        if config["recipe"].get("ddp_find_unused_parameters"):
            rule = "osft has its gradients only after the last backward pass, by when that search is over"
            faults.append(fault("recipe.ddp_find_unused_parameters", True, rule, "drop it"))
        return faults

    def memory_floor(self, config: Mapping[str, Any], size: Size) -> MemoryFloor:
        """The weights in float32; their parts, which are kept beside them, take more."""
        return MemoryFloor(4 * size.parameters)
