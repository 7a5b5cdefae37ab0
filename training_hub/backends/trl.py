"""TRL: Hugging Face's trainers, in the project's own worker (training_hub/workers/trl)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from training_hub.backends.base import RecipeBackend
from training_hub.backends.unusable import unusable
from training_hub.data.recognise import Formats
from training_hub.errors import enumerate_names, fault, suggestion
from training_hub.installed import signature
from training_hub.installed.interpreter import missing_requirements
from training_hub.params import BackendNode, Params, param, takes
from training_hub.workers.exact_steps.owned import DERIVED, OWNED, OWNED_BY_DPO

_NAMED = ("trainer_utils.SchedulerType", "training_args.OptimizerNames")
_FLASH = {"flash_attention_2": "flash-attn", "flash_attention_3": "flash-attn-3", "flash_attention_4": "flash-attn-4"}
_ATTENTION = ("auto", "sdpa", "eager", "flash_attention_2", "flash_attention_3", "flash_attention_4", "flex_attention")


@takes(Params, "effective_batch_size", "packing", "max_tokens_per_gpu", "save_final_checkpoint", "sample_prompts")
class TRLNode(BackendNode):
    """`backend`: settings of the worker that are not arguments of the library."""

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
    owned: ClassVar[Mapping[str, str]] = {**OWNED, **DERIVED}
    takes_adapter: ClassVar[bool] = True
    of_gpus: ClassVar[tuple[str, ...]] = ("tf32", "fp16")
    recipes: ClassVar[tuple[str, ...]] = ("trl.SFTConfig", "trl.DPOConfig")

    @classmethod
    def owned_of(cls, target: str) -> Mapping[str, str]:
        """What the loop sets: it differs from class to class."""
        return {**(OWNED_BY_DPO if target == "trl.DPOConfig" else OWNED), **DERIVED}

    def refused_callback(self, target: str) -> str | None:
        """All hooks of all of them are called."""
        return None

    def check(self, config: Mapping[str, Any]) -> list[str]:
        """Names that the libraries do not know, and settings without effect."""
        recipe, model = config["recipe"], config["model"]
        faults = []
        if recipe["_target_"] not in self.recipes:
            return [fault("recipe._target_", recipe["_target_"], f"no class of {self.name}", "drop it")]
        formats = Formats(config["data"])
        if (recipe["_target_"] == "trl.DPOConfig") != ("pairs" in formats.kinds):
            rule = f"does not train on {enumerate_names(formats.accepted)} rows, which the algorithm reads"
            return [fault("recipe._target_", recipe["_target_"], rule, "drop it, or choose another algorithm")]
        schedulers, optimizers = (self._members(config, name) for name in _NAMED)
        faults += _not_among("lr_scheduler", recipe.get("lr_scheduler_type"), schedulers)
        faults += _not_among("recipe.optim", recipe.get("optim"), optimizers)
        if "/" not in model["attn_implementation"]:  # with one: a kernel on the hub
            faults += _not_among("model.attn_implementation", model["attn_implementation"], _ATTENTION)
        faults += _flash_attention(model["attn_implementation"], config["backend"]["python"])
        if recipe["_target_"] == "trl.DPOConfig":
            faults += _preference(config)
        faults += unusable(recipe, config["backend"]["python"], self.search_path(config))
        return [*faults, *_without_effect(config)]

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


def _without_effect(config: Mapping[str, Any]) -> list[str]:
    model, data, eval_steps = config["model"], config["data"], config["recipe"].get("eval_steps")
    faults = []
    if model["revision"] and Path(model["path"]).expanduser().is_dir():
        rule = "model_path is a folder, and only a model on the hub has revisions"
        faults.append(fault("model.revision", model["revision"], rule, "drop it"))
    if eval_steps and not data["eval_path"] and not data["eval_fraction"]:
        way = "add eval_data_path=FILE or eval_fraction=0.05"
        faults.append(fault("eval_steps", eval_steps, "there are no held-out rows to evaluate on", way))
    return faults


def _preference(config: Mapping[str, Any]) -> Iterator[str]:
    recipe = config["recipe"]
    losses, weights, smoothing = recipe["loss_type"], recipe["loss_weights"], recipe["label_smoothing"]
    if config["backend"]["packing"]:
        yield fault("packing", True, "the answers of a pair are compared in a padded batch", "drop it")
    if weights is not None and len(weights) != len(losses):
        yield fault("loss_weights", weights, f"there are {len(losses)} losses", "give one weight for each")
    if smoothing and not {"robust", "exo_pair"} & set(losses):
        rule = f"loss_type={enumerate_names(losses)} does not use it"
        yield fault("label_smoothing", smoothing, rule, "use loss_type=robust, or drop it")
    if not smoothing and "exo_pair" in losses:
        yield fault("loss_type", "exo_pair", "needs label_smoothing", "add label_smoothing=1e-3")
    dropout = config["adapter"].get("peft", {}).get("lora_dropout", 0)
    if dropout and recipe.get("disable_dropout", True):
        yield fault("lora_dropout", dropout, "dpo switches dropout off", "add recipe.disable_dropout=false, or drop it")
