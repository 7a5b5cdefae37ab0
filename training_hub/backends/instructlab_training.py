"""instructlab-training: sft with the library's own script, weights sharded by FSDP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from training_hub.backends.script import ScriptBackend, holds_out
from training_hub.errors import fault
from training_hub.installed import signature
from training_hub.params import BackendNode, Params, takes

_LORA = "the script cannot import it beside trl>=1.16; use algorithm=lora_sft"
_HELD_OUT = "the script divides this loss by the number of processes once more; use another backend"
_DEAD = "the script never reads it; drop it"
_DASHED = ("model_class", "block_size", "document_column_name", "chat_tmpl_path")


@takes(Params, "save_total_limit")
class InstructLabTrainingNode(BackendNode):
    """`backend`: what the worker does beside the library's own arguments. Its checkpoints are the trainer's states."""


class InstructLabTrainingBackend(ScriptBackend):
    """Trains with instructlab-training's `main_ds.py` on one or many CUDA GPUs."""

    name: ClassVar[str] = "instructlab-training"
    module: ClassVar[str] = "instructlab.training.main_ds"
    Node: ClassVar[type[BackendNode]] = InstructLabTrainingNode
    without_flash: ClassVar[str] = "sdpa instead, and one process only"
    reserved: ClassVar[Mapping[str, str]] = {
        "data_path": "data_path",
        "output_dir": "output_dir",
        "tensorboard_log_dir": "logger.tensorboard.log_dir",
        "block_size": "block_size",
        "document_column_name": "document_column_name",
        "chat_tmpl_path": "data.chat_template",
        "current_epoch": "",
        "last_step": "",
        "callbacks": "callbacks",
    }
    broken: ClassVar[Mapping[str, str]] = {
        "validation_split": _HELD_OUT,
        "validation_frequency": _HELD_OUT,
        "lora_r": _LORA,
        "lora_alpha": _LORA,
        "lora_dropout": _LORA,
        "lora_quant_bits": _LORA,
        "lora_target_modules": _LORA,
        "use_liger": "the script never reads it; use recipe.model_class=Liger",
        "use_dolomite": _DEAD,
        "mock_data": _DEAD,
        "mock_len": _DEAD,
    }

    def option(self, name: str, value: Any) -> list[str]:
        """One option as it is typed; some have dashes in their names."""
        return super().option(name.replace("_", "-") if name in _DASHED else name, value)

    def shards(self, config: Mapping[str, Any]) -> int:
        """Each machine holds all of it by default (HYBRID_SHARD); what else may be chosen shares no less."""
        whole = config["recipe"].get("fsdp_sharding_strategy", "HYBRID_SHARD") == "HYBRID_SHARD"
        node = config["launcher"]
        return int(node["nproc_per_node"] if whole else node["world_size"])

    def schedulers(self, config: Mapping[str, Any]) -> list[str] | None:
        """The choices of the script's option."""
        return signature.choices("instructlab.training.main_ds", "lr_scheduler", self.search_path(config))

    def check(self, config: Mapping[str, Any]) -> list[str]:
        """What instructlab-training cannot do, and what it is known to do wrongly."""
        return [*super().check(config), *_padded(config), *_evaluation(config), *_dtype(config)]


InstructLabTrainingSFTBackend = InstructLabTrainingBackend  # its longer name


def _padded(config: Mapping[str, Any]) -> list[str]:
    """Without flash attention the ranks get different numbers of micro-batches, and wait for each other for ever."""
    processes = config["launcher"]["world_size"]
    if processes == 1 or not config["recipe"]["disable_flash_attn"]:
        return []
    rule = "backend=instructlab-training hangs with several processes and without flash attention"
    return [fault("nproc_per_node", processes, rule, "pip install flash-attn, or nproc_per_node=1")]


def _evaluation(config: Mapping[str, Any]) -> list[str]:
    asked = holds_out(config)
    rule = "backend=instructlab-training cannot evaluate on given rows"
    return [f"{asked}: {rule}; drop it, or use backend=mini-trainer or trl"] if asked else []


def _dtype(config: Mapping[str, Any]) -> list[str]:
    dtype = config["model"]["dtype"]
    rule = "backend=instructlab-training chooses it itself: float32 weights under bfloat16"
    return [fault("model.dtype", dtype, rule, "drop it")] if dtype != "auto" else []
