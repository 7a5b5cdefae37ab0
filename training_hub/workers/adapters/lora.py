"""LoRA: put an adapter into a model, and at the end save it, or add it to the model's weights."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoftQConfig, LoraConfig, PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from transformers import BitsAndBytesConfig, PreTrainedModel, TrainerCallback, set_seed

from training_hub.errors import ConfigError, enumerate_names, fault, suggestion
from training_hub.trainers.base import LANGUAGE_MODEL, ModelKind
from training_hub.workers import models
from training_hub.workers.adapters.methods import arguments, wrapped

PutIn = Callable[[PreTrainedModel, dict[str, Any]], PeftModel]


def how_to_load(config: dict[str, Any], resolved: dict[str, Any]) -> dict[str, Any]:
    """Arguments of from_pretrained: the weights are not trained, so they can stay in the dtype they came in, or less.

    Without fast bfloat16 they are float32: each product would have to convert them.
    """
    node = config["adapter"]["quantization"]
    if node["load_in_4bit"] or node["load_in_8bit"]:
        place = "cpu" if resolved["use_cpu"] else torch.accelerator.current_device_index()
        return {"quantization_config": BitsAndBytesConfig(**node), "device_map": {"": place}}
    if config["model"]["dtype"] == "auto" and resolved["bf16"]:
        return {"dtype": models.stored_dtype(config["model"])}
    return {}


def callbacks() -> list[TrainerCallback]:
    """What the trainer has to do beside: nothing."""
    return []


def complete_gradients(model: PeftModel) -> None:
    """What is to do after the backward passes of a step: nothing."""


def by_peft(model: PreTrainedModel, given: dict[str, Any], task: str) -> PeftModel:
    """The model with an adapter, as PEFT itself makes it. task: PEFT's name of the kind of model."""
    return wrapped(model, LoraConfig(**given, task_type=task))


def add(
    model: PreTrainedModel, config: dict[str, Any], kind: ModelKind = LANGUAGE_MODEL, put_in: PutIn | None = None
) -> PeftModel:
    """The model with an adapter, which alone is trained. ConfigError where it does not fit the model.

    put_in: makes it, from the model and the arguments of peft.LoraConfig; by default PEFT does.
    """
    given = arguments(config)
    if given["loftq_config"]:
        given["loftq_config"] = LoftQConfig(**given["loftq_config"])
    _check_targets(model, given["target_modules"])
    _keep_gradients(model)
    set_seed(config["recipe"]["seed"])
    try:
        adapted = (put_in or partial(by_peft, task=kind.task))(model, given)
    except (ValueError, TypeError, ImportError, NotImplementedError) as error:
        raise ConfigError(fault("adapter.peft", "peft.LoraConfig", str(error).strip().splitlines()[0])) from error
    _check_patterns(adapted, given)
    folder = Path(config["model"]["path"]).expanduser()
    if folder.is_dir():  # so that the adapter finds its model from anywhere
        adapted.peft_config["default"].base_model_name_or_path = str(folder.resolve())
    return adapted


def finished(
    model: PeftModel, config: dict[str, Any], dtype: torch.dtype | None, kind: ModelKind
) -> PreTrainedModel | PeftModel:
    """What is saved: the adapter, or with `merge` the plain model with the adapter added to its weights.

    dtype: of the saved weights; None: what the model came in, and for the adapter alone what it was trained in.
    """
    if not config["adapter"]["merge"]:
        return model if dtype is None else torch.nn.Module.to(model, dtype)
    if getattr(model, "is_quantized", False):
        model = _on_whole_weights(model, config, kind)
    merged: PreTrainedModel = model.merge_and_unload(safe_merge=True)
    return torch.nn.Module.to(merged, dtype or models.stored_dtype(config["model"]))


def measured(model: PeftModel, config: dict[str, Any], dtype: torch.dtype | None) -> dict[str, float]:
    """What is to be told of the trained model beside its losses: nothing."""
    return {}


def _on_whole_weights(model: PeftModel, config: dict[str, Any], kind: ModelKind) -> PeftModel:
    """The adapter on the weights before they were quantised: merged into these, it is not rounded to 4 or 8 bits."""
    whole = wrapped(models.load_model(config["model"], True, kind), model.peft_config["default"])
    set_peft_model_state_dict(whole, get_peft_model_state_dict(model))
    return whole


def _keep_gradients(model: PreTrainedModel) -> None:
    """Forbid bitsandbytes to pack 4 bits for a processor's inference: whatever is evaluated has no gradient after."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False  # type: ignore[assignment]


def _check_targets(model: PreTrainedModel, targets: Any) -> None:
    """ConfigError for a name that matches nothing; PEFT is content where any of them matches."""
    if isinstance(targets, str):
        return
    head = model.get_output_embeddings()
    linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    kinds = list(dict.fromkeys(name.rpartition(".")[2] for name in linear))
    for target in targets:
        matches = [name for name in linear if name == target or name.endswith(f".{target}")]
        if not matches:
            way = suggestion(target, kinds) or f"its linear layers are {enumerate_names(kinds)}"
            raise ConfigError(fault("target_modules", target, "matches no linear layer of the model", way))
        if any(model.get_submodule(name) is head for name in matches):
            raise ConfigError(fault("target_modules", target, "the head takes no adapter", "drop it"))


def _check_patterns(adapted: PeftModel, given: dict[str, Any]) -> None:
    """ConfigError for a pattern that matches no adapter: PEFT would ignore it."""
    targeted = cast("list[str]", adapted.base_model.targeted_module_names)
    for name in ("rank_pattern", "alpha_pattern"):
        for pattern in given[name]:
            if not any(re.match(rf"(.*\.)?({pattern})$", target) for target in targeted):
                raise ConfigError(fault(name, pattern, "matches none of the modules that get an adapter"))
