"""TRL: Hugging Face's trainers, in the project's own worker (training_hub/workers/trl)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from training_hub.backends.base import RecipeBackend
from training_hub.backends.unusable import unusable
from training_hub.data.recognise import Formats
from training_hub.errors import enumerate_names, fault, suggestion
from training_hub.installed import signature
from training_hub.installed.interpreter import missing_requirements
from training_hub.installed.locate import find_class
from training_hub.params import BackendNode, Params, Text, param, takes
from training_hub.trainers.base import Trainer

_NAMED = ("trainer_utils.SchedulerType", "training_args.OptimizerNames")
_FLASH = {"flash_attention_2": "flash-attn", "flash_attention_3": "flash-attn-3", "flash_attention_4": "flash-attn-4"}
_ATTENTION = ("auto", "sdpa", "eager", "flash_attention_2", "flash_attention_3", "flash_attention_4", "flex_attention")


@takes(Params, "effective_batch_size", "packing", "max_tokens_per_gpu", "save_final_checkpoint", "sample_prompts")
class TRLNode(BackendNode):
    """`backend`: settings of the worker that are not arguments of the library."""

    trainer: Text = param("class that declares the trainer: package.module.Class")
    eval_at_start: bool = param("also measure the loss on held-out rows before training", may_change=True)
    save_dtype: Literal["auto", "float32", "bfloat16", "float16"] = param(
        "data type of the saved weights; auto: that of training, or for a merged adapter that of the model",
        may_change=True,
    )
    sample_max_new_tokens: int = param(
        "maximum length of an answer to a sample prompt", "tokens", may_change=True, gt=0
    )


class TRLBackend(RecipeBackend):
    """Trains with TRL on a CPU, one GPU, or in several processes under torchrun."""

    name: ClassVar[str] = "trl"
    Node: ClassVar[type[BackendNode]] = TRLNode
    trainer: ClassVar[type[Trainer] | None] = Trainer
    takes_adapter: ClassVar[bool] = True
    of_gpus: ClassVar[tuple[str, ...]] = ("tf32", "fp16")

    def refused_callback(self, target: str) -> str | None:
        """All hooks of all of them are called."""
        return None

    def check(self, config: Mapping[str, Any]) -> list[str]:
        """Names that the libraries do not know, and settings without effect."""
        recipe, model = config["recipe"], config["model"]
        trainer = self.trainer_of(config)
        if faults := _of_another(config, trainer):
            return faults
        schedulers, optimizers = (self._members(config, name) for name in _NAMED)
        faults += _not_among("lr_scheduler", recipe.get("lr_scheduler_type"), schedulers)
        faults += _not_among("recipe.optim", recipe.get("optim"), optimizers)
        if "/" not in model["attn_implementation"]:  # with one: a kernel on the hub
            faults += _not_among("model.attn_implementation", model["attn_implementation"], _ATTENTION)
        faults += _flash_attention(model["attn_implementation"], config["backend"]["python"])
        faults += trainer.check(config)
        faults += unusable(recipe, config["backend"]["python"], self.search_path(config))
        return [*faults, *_without_effect(config, trainer)]

    @classmethod
    def trainer_of(cls, config: Mapping[str, Any]) -> type[Trainer]:
        """The trainer that a config names. ConfigError where it is no trainer of this backend."""
        assert cls.trainer is not None
        kind = f"{cls.trainer.__module__}.{cls.trainer.__qualname__}"
        found: type[Trainer] = find_class(str(config["backend"]["trainer"]), kind, key="backend.trainer")
        return found

    def memory_proxy(self, config: Mapping[str, Any]) -> dict[str, Any] | None:
        """The run itself."""
        bits = config["adapter"].get("quantization") or {}
        found = 4 if bits.get("load_in_4bit") else 8 if bits.get("load_in_8bit") else 0
        asked = config["recipe"].get("bf16", "auto")
        processes = config["launcher"]["world_size"]
        whole = {"processes": processes, "autocast": asked is not False, "chunked": True, "bits": found, "sharded": 0}
        return {**config, "memory_proxy": whole}

    def _members(self, config: Mapping[str, Any], enumeration: str) -> list[str]:
        """The values of one of transformers' enumerations, [] where it is not installed."""
        return signature.members(f"transformers.{enumeration}", self.search_path(config)) or []


def _of_another(config: Mapping[str, Any], trainer: type[Trainer]) -> list[str]:
    """What shows that recipe, trainer and algorithm were not made for each other: the rest is then anyone's guess."""
    target, formats = config["recipe"]["_target_"], Formats(config["data"])
    if target != trainer.recipe:
        rule = f"the trainer {trainer.__name__} takes {trainer.recipe}"
        return [fault("recipe._target_", target, rule, "drop it")]
    if formats.kinds != {trainer.rows}:
        rule = f"does not train on {enumerate_names(formats.accepted)} rows, which the algorithm reads"
        return [fault("backend.trainer", config["backend"]["trainer"], rule, "drop it, or choose another algorithm")]
    return []


def _not_among(key: str, value: object, known: Sequence[str]) -> list[str]:
    if value is None or not known or value in known:
        return []
    way = suggestion(str(value), known) or f"choose from {enumerate_names(known)}"
    return [fault(key, value, "no such choice", way)]


def _flash_attention(wanted: str, python: str | None) -> list[str]:
    """Flash attention comes with a package of its own, or from the hub by the package kernels."""
    package = _FLASH.get(wanted)
    if package is None or len(missing_requirements([package, "kernels"], python)) < 2:
        return []
    key = "model.attn_implementation"
    return [fault(key, wanted, f"{package} is not installed", f"pip install {package}, or {key}=auto")]


def _without_effect(config: Mapping[str, Any], trainer: type[Trainer]) -> list[str]:
    model, data, eval_steps = config["model"], config["data"], config["recipe"].get("eval_steps")
    faults = []
    if (prompts := config["backend"]["sample_prompts"]) and not trainer.model.generates:
        faults.append(fault("sample_prompts", prompts, "the model that is trained generates no text", "drop it"))
    if model["revision"] and Path(model["path"]).expanduser().is_dir():
        rule = "model_path is a folder, and only a model on the hub has revisions"
        faults.append(fault("model.revision", model["revision"], rule, "drop it"))
    if eval_steps and not data["eval_path"] and not data["eval_fraction"]:
        way = "add eval_data_path=FILE or eval_fraction=0.05"
        faults.append(fault("eval_steps", eval_steps, "there are no held-out rows to evaluate on", way))
    return faults
