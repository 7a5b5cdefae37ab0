"""unsloth: adapters on CUDA GPUs, in the project's own worker (training_hub/workers/unsloth)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from training_hub.backends.trl import TRLBackend, TRLNode
from training_hub.errors import fault
from training_hub.params import BackendNode, param
from training_hub.trainers.base import Trainer
from training_hub.trainers.unsloth_sft import UnslothSFT

_VLLM = ""  # for generating with vLLM: the worker only trains

# Arguments of FastLanguageModel.from_pretrained that the worker sets itself -> the parameter to use instead.
LOAD: dict[str, str] = {
    "max_seq_length": "max_seq_len",
    "dtype": "model.dtype",
    "load_in_4bit": "load_in_4bit",
    "load_in_8bit": "load_in_8bit",
    "load_in_16bit": "model.dtype",
    "full_finetuning": "algorithm=sft on another backend",
    "token": "the environment variable HF_TOKEN",
    "resize_model_vocab": "",
    "on_model_resolved": "",
    "fast_inference": _VLLM,
    "gpu_memory_utilization": _VLLM,
    "float8_kv_cache": _VLLM,
    "max_lora_rank": _VLLM,
    "disable_log_stats": _VLLM,
}

_LORA = ("init_lora_weights", "loftq_config", "lora_alpha", "lora_dropout", "target_modules", "use_rslora")
_PEFT = (
    "bias", "layers_pattern", "layers_to_transform", "modules_to_save", "target_parameters", "ensure_weight_tying",
)  # fmt: skip

# The same of FastLanguageModel.get_peft_model.
ADAPT: dict[str, str] = {
    "model": "model_path",
    "max_seq_length": "max_seq_len",
    "r": "lora_r",
    **{name: name for name in _LORA},
    **{name: f"adapter.peft.{name}" for name in _PEFT},
}


class UnslothNode(TRLNode):
    """`backend`: what the worker does, and the arguments of the two functions that make the model."""

    load: dict[str, Any] = param("arguments of unsloth's FastLanguageModel.from_pretrained")
    adapt: dict[str, Any] = param("arguments of unsloth's FastLanguageModel.get_peft_model")


class UnslothBackend(TRLBackend):
    """Trains adapters with unsloth's kernels, step by step as backend=trl does."""

    name: ClassVar[str] = "unsloth"
    without_flash: ClassVar[str] = "xformers or sdpa instead"
    Node: ClassVar[type[BackendNode]] = UnslothNode
    trainer: ClassVar[type[Trainer] | None] = UnslothSFT
    libraries: ClassVar[Mapping[str, Mapping[str, str]]] = {"backend.load": LOAD, "backend.adapt": ADAPT}

    def memory_proxy(self, config: Mapping[str, Any]) -> dict[str, Any] | None:
        """The same loop without unsloth's kernels, which need less."""
        checkpointing = bool(config["backend"]["load"]["use_gradient_checkpointing"])
        recipe = {**config["recipe"], "_target_": "trl.SFTConfig", "gradient_checkpointing": checkpointing}
        backend = {**config["backend"], "trainer": "training_hub.trainers.sft.SFT"}
        return super().memory_proxy({**config, "recipe": recipe, "backend": backend})

    def check(self, config: Mapping[str, Any]) -> list[str]:
        """As on TRL, and what unsloth decides for itself."""
        model, faults = config["model"], super().check(config)
        if model["attn_implementation"] != "auto":
            rule = "unsloth takes the fastest one that is installed, whatever is asked for"
            faults.append(fault("model.attn_implementation", model["attn_implementation"], rule, "drop it"))
        if model["dtype"] == "float16":
            faults.append(fault("model.dtype", "float16", "this worker scales no losses", "use bfloat16 or float32"))
        return faults
