"""Values of transformers' training arguments that their annotations let through and that cannot be used here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from training_hub.errors import enumerate_names, fault
from training_hub.installed import signature
from training_hub.installed.interpreter import install_command, missing_requirements

_SCHEDULES = {  # functions of transformers.optimization; the other schedulers pass anything on
    "linear": "get_linear_schedule_with_warmup",
    "cosine": "get_cosine_schedule_with_warmup",
    "cosine_with_restarts": "get_cosine_with_hard_restarts_schedule_with_warmup",
    "polynomial": "get_polynomial_decay_schedule_with_warmup",
    "constant": "get_constant_schedule",
    "constant_with_warmup": "get_constant_schedule_with_warmup",
    "inverse_sqrt": "get_inverse_sqrt_schedule",
    "cosine_with_min_lr": "get_cosine_with_min_lr_schedule_with_warmup",
    "cosine_warmup_with_min_lr": "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
    "warmup_stable_decay": "get_wsd_schedule",
}
_GIVEN = {"optimizer", "num_warmup_steps", "num_training_steps", "last_epoch"}  # by the trainer
_PACKAGES = {  # parts of optimizers' names, the first that fits counts
    "torch_4bit": "torchao", "torch_8bit": "torchao", "bnb": "bitsandbytes", "8bit": "bitsandbytes",
    "paged": "bitsandbytes", "ademamix": "bitsandbytes", "galore": "galore-torch", "apollo": "apollo-torch",
    "lomo": "lomo-optim", "grokadamw": "grokadamw", "schedule_free": "schedulefree", "stable_adamw": "torch-optimi",
    "anyprecision": "torchdistx", "torch_xla": "torch-xla", "npu": "torch-npu", "apex": "apex",
}  # fmt: skip


def unusable(recipe: Mapping[str, Any], python: str | None, where: tuple[str, ...]) -> Iterator[str]:
    """One line for each. python, where: the worker's interpreter, and the folders that it finds packages in."""
    yield from _scheduler_arguments(recipe, where)
    texts = recipe.get("optim_args")
    if isinstance(texts, str) and not all(part.count("=") == 1 for part in filter(None, texts.split(","))):
        yield fault(
            "recipe.optim_args", texts, "must be NAME=VALUE,NAME=VALUE", "quote it: 'recipe.optim_args=\"a=1\"'"
        )
    if recipe.get("use_liger_kernel") is True:
        yield from _not_installed("recipe.use_liger_kernel", True, "liger-kernel", python)
    optimizer = str(recipe.get("optim"))
    if package := next((package for part, package in _PACKAGES.items() if part in optimizer), None):
        yield from _not_installed("recipe.optim", optimizer, package, python)


def _scheduler_arguments(recipe: Mapping[str, Any], where: tuple[str, ...]) -> Iterator[str]:
    scheduler, given = str(recipe.get("lr_scheduler_type")), recipe.get("lr_scheduler_kwargs")
    if not given or not isinstance(given, Mapping):
        return
    function = _SCHEDULES.get(scheduler)
    known = signature.arguments(f"transformers.optimization.{function}", where) if function else None
    if known is None:
        return
    own = [name for name in known if name not in _GIVEN]
    for name in given:
        if name not in own:
            way = f"its arguments are {enumerate_names(own)}" if own else "drop it"
            yield fault(f"lr_scheduler_kwargs.{name}", given[name], f"lr_scheduler={scheduler} does not take it", way)


def _not_installed(key: str, value: object, package: str, python: str | None) -> Iterator[str]:
    if missing := missing_requirements([package], python):
        yield fault(key, value, f"not installed: {package}", install_command(missing, python))
