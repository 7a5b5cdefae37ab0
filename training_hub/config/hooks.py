"""The user's callbacks, seen from the front: classes that the worker will make, here read and never run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel

from training_hub.config.choices import options
from training_hub.config.lookup import selected
from training_hub.errors import ConfigError, fault, nearest
from training_hub.installed import signature
from training_hub.installed.interpreter import look_at
from training_hub.installed.trust import refusal
from training_hub.metrics import CORE, name_rule
from training_hub.params import EarlyStoppingNode

BUILT_IN = {"training_hub.callbacks.EarlyStopping": EarlyStoppingNode}


def nodes(cfg: DictConfig) -> dict[str, type[BaseModel]]:
    """The class of the settings of each callback of ours, by its dotted path."""
    targets = {path: str(selected(cfg, f"{path}._target_")) for path in _paths(cfg)}
    return {path: BUILT_IN[target] for path, target in targets.items() if target in BUILT_IN}


def libraries(cfg: DictConfig, python: str | None) -> dict[str, dict[str, str] | None]:
    """The arguments of each class of the user's, by dotted path; None where its source does not say."""
    found: dict[str, dict[str, str] | None] = {}
    for path in _paths(cfg):
        target = str(selected(cfg, f"{path}._target_"))
        if target not in BUILT_IN:
            where = _search_path(python)
            found[path] = signature.arguments(target, where) if signature.is_closed(target, where) else None
    return found


def nameless(cfg: DictConfig) -> Iterator[str]:
    """Settings of something that was not chosen, and that no class belongs to."""
    for group in ("callbacks", "logger"):
        there = options(group)
        for name, node in (cfg.get(group) or {}).items():
            if isinstance(node, DictConfig) and not _close_to_target(node):
                known = nearest(str(name), there)
                way = (
                    f"did you mean {group}.{known}?"
                    if known and known != name
                    else _how_to_choose(group, str(name), there)
                )
                yield fault(f"{group}.{name}", OmegaConf.to_container(node), "nothing of this name is chosen", way)


def _how_to_choose(group: str, name: str, there: Sequence[str]) -> str:
    if name in there:
        return f"add {group}=[{name}]" if group == "callbacks" else f"add {group}=[jsonl,{name}]"
    return f"add {group}.{name}._target_=package.module.Class"


def _close_to_target(node: DictConfig) -> bool:
    return any(nearest(str(key), ["_target_"]) for key in node)


def faults(config: Mapping[str, Any], backend: Any) -> Iterator[str]:
    """What is wrong with the callbacks of a resolved config. backend: the class of the chosen one."""
    where = _search_path(config["backend"]["python"])
    for name, node in (config.get("callbacks") or {}).items():
        target = str(node["_target_"])
        if text := refusal(target) or _absent(target, where):
            yield f"callbacks.{name}.{text}"
            continue
        if text := backend.refused_callback(target):
            yield fault(f"callbacks.{name}._target_", target, text, "drop it, or use backend=trl")
        if target in BUILT_IN:
            yield from _early_stopping(config, name, node)
        elif signature.is_closed(target, where):
            yield from _missing(name, node, signature.declared(target, where) or {})


def _absent(target: str, where: tuple[str, ...]) -> str | None:
    module = target.rpartition(".")[0]
    if target.startswith("training_hub.") or signature.has_module(module, where):
        return None
    way = f"check the name; it is looked for where the worker's interpreter looks, and in {os.getcwd()}"  # noqa: PTH109
    return fault("_target_", target, f"there is no module {module}", way)


def _missing(name: str, node: Mapping[str, Any], declared: Mapping[str, signature.Argument]) -> Iterator[str]:
    for argument, each in declared.items():
        if not each.default and argument not in node and not argument.startswith("*"):
            yield f"callbacks.{name}.{argument}: the class asks for it; add callbacks.{name}.{argument}=..."


def _early_stopping(config: Mapping[str, Any], name: str, node: Mapping[str, Any]) -> Iterator[str]:
    data, key, metric = config["data"], f"callbacks.{name}.metric", node["metric"]
    if metric not in ("loss", "eval_loss") and (rule := name_rule(metric)):
        yield fault(key, metric, rule, "give eval_loss, loss, or the name of a further metric")
    elif metric not in CORE and node.get("mode") is None:
        way = f"add callbacks.{name}.mode=max, or min"
        yield fault(key, metric, "it is not known whether lower or higher is better", way)
    if metric == "loss" and node["save_best"]:
        way = f"add callbacks.{name}.save_best=false"
        yield fault(key, metric, "a checkpoint would be saved at nearly every step", way)
    if not metric.startswith("eval_") or (metric != "eval_loss" and len(config["callbacks"]) > 1):
        return  # a callback may measure it on rows of its own
    if not data["eval_path"] and not data["eval_fraction"]:
        way = "add eval_data_path=FILE or eval_fraction=0.05"
        yield fault(key, metric, "there are no held-out rows to measure it on", way)
    elif config.get("eval_steps") is None:
        yield fault(key, metric, "it is measured before and after training alone", "add eval_steps=...")


def _paths(cfg: DictConfig) -> list[str]:
    return [f"callbacks.{name}" for name in cfg.get("callbacks") or {}]


def _search_path(python: Any) -> tuple[str, ...]:
    """Where a worker finds modules: in the folder that it is started from, then where its interpreter looks."""
    try:
        return (os.getcwd(), *look_at(python and str(python)).search_path)  # noqa: PTH109
    except ConfigError:  # no such interpreter: that is named where libraries are checked
        return (os.getcwd(),)  # noqa: PTH109
