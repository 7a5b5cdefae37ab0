"""The arguments of unsloth's functions that the worker sets itself. Imports nothing."""

from training_hub.workers.exact_steps.owned import DERIVED
from training_hub.workers.exact_steps.owned import OWNED as OWNED_BY_TRL

_VLLM = ""  # for generating with vLLM: the worker only trains

# Argument -> the project's parameter to use instead; "" where there is none.
OWNED: dict[str, str] = {
    **OWNED_BY_TRL,
    "gradient_checkpointing": "gradient_checkpointing",
    "gradient_checkpointing_kwargs": "gradient_checkpointing",
    "use_liger_kernel": "",  # unsloth's own kernels are in its place
    "fp16": "",
}

# Of FastLanguageModel.from_pretrained.
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

# Of FastLanguageModel.get_peft_model.
ADAPT: dict[str, str] = {
    "model": "model_path",
    "max_seq_length": "max_seq_len",
    "r": "lora_r",
    **{name: name for name in _LORA},
    **{name: f"adapter.peft.{name}" for name in _PEFT},
}

__all__ = ["ADAPT", "DERIVED", "LOAD", "OWNED"]
