"""unsloth: adapters on CUDA GPUs, in the project's own worker (training_hub/workers/unsloth)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from training_hub.backends.trl import TRLBackend, TRLNode
from training_hub.errors import fault
from training_hub.params import BackendNode, param
from training_hub.workers.exact_steps.owned import DERIVED
from training_hub.workers.unsloth.owned import ADAPT, LOAD, OWNED


class UnslothNode(TRLNode):
    """`backend`: what the worker does, and the arguments of the two functions that make the model."""

    load: dict[str, Any] = param("arguments of unsloth's FastLanguageModel.from_pretrained")
    adapt: dict[str, Any] = param("arguments of unsloth's FastLanguageModel.get_peft_model")


class UnslothBackend(TRLBackend):
    """Trains adapters with unsloth's kernels, step by step as backend=trl does."""

    name: ClassVar[str] = "unsloth"
    without_flash: ClassVar[str] = "xformers or sdpa instead"
    Node: ClassVar[type[BackendNode]] = UnslothNode
    owned: ClassVar[Mapping[str, str]] = {**OWNED, **DERIVED}
    libraries: ClassVar[Mapping[str, Mapping[str, str]]] = {"backend.load": LOAD, "backend.adapt": ADAPT}
    recipes: ClassVar[tuple[str, ...]] = ("transformers.TrainingArguments",)

    @classmethod
    def owned_of(cls, target: str) -> Mapping[str, str]:
        """The same for every class."""
        return cls.owned

    def memory_proxy(self, config: Mapping[str, Any]) -> dict[str, Any] | None:
        """The same loop without unsloth's kernels, which need less."""
        checkpointing = bool(config["backend"]["load"]["use_gradient_checkpointing"])
        recipe = {**config["recipe"], "_target_": "trl.SFTConfig", "gradient_checkpointing": checkpointing}
        return super().memory_proxy({**config, "recipe": recipe})

    def check(self, config: Mapping[str, Any]) -> list[str]:
        """As on TRL, and what unsloth decides for itself."""
        model, faults = config["model"], super().check(config)
        if model["attn_implementation"] != "auto":
            rule = "unsloth takes the fastest one that is installed, whatever is asked for"
            faults.append(fault("model.attn_implementation", model["attn_implementation"], rule, "drop it"))
        if model["dtype"] == "float16":
            faults.append(fault("model.dtype", "float16", "this worker scales no losses", "use bfloat16 or float32"))
        return faults
