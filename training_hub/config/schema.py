"""What a config may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from omegaconf import DictConfig
from pydantic import BaseModel, create_model

from training_hub.config import formats, hooks
from training_hub.config.classes import Classes, owner_of
from training_hub.config.constructor import node_of
from training_hub.config.lookup import selected
from training_hub.config.tested import tested_arguments
from training_hub.errors import ConfigError, fault
from training_hub.installed.interpreter import look_at
from training_hub.installed.signature import arguments
from training_hub.interfaces.adapter import Adapter
from training_hub.params import ModelNode, takes_text


@dataclass(frozen=True)
class Schema:
    """What a config may hold, put together from the classes that its choices name.

    params: owners of the root parameters. nodes: class of each config group's node, by its dotted path.
    libraries: for each node that names a class of a library (`recipe`, `adapter.peft`), by its dotted path, the
    arguments of that class with their annotations, None where its source is not installed. reserved: of these, the ones
    that the worker sets, with the parameter to use instead. unfit: what of the choices does not go together.
    elsewhere: finds the choice that a parameter belongs to which this config lacks, e.g. "lora_r" ->
    "algorithm=lora_sft".
    """

    params: tuple[type[BaseModel], ...]
    nodes: Mapping[str, type[BaseModel]]
    libraries: Mapping[str, Mapping[str, str] | None]
    reserved: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unfit: tuple[str, ...] = ()
    elsewhere: Callable[[str], str | None] = lambda name: None

    @cached_property
    def parameters(self) -> set[str]:
        """Names of the root parameters."""
        return {name for owner in self.params for name in owner.model_fields}

    @cached_property
    def texts(self) -> set[str]:
        """Dotted keys whose values are texts, or lists of them."""
        owners = [("", each) for each in self.params] + [(f"{path}.", each) for path, each in self.nodes.items()]
        return {
            f"{prefix}{field.alias or name}"
            for prefix, owner in owners
            for name, field in owner.model_fields.items()
            if takes_text(field.annotation)
        }


def schema_of(cfg: DictConfig, choices: Mapping[str, str], classes: Classes, python: str | None) -> Schema:
    """What a composed config may hold. python: the worker's interpreter, None for the one that runs this program."""
    algorithm, backend, launcher, adapter = classes.algorithm, classes.backend, classes.launcher, classes.adapter
    own, of_adapter = algorithm.Params, selected(cfg, "algorithm.adapter")
    nodes: dict[str, type[BaseModel]] = {
        "algorithm": algorithm.Node,
        "backend": node_of(backend),
        "model": ModelNode,
        **formats.nodes(cfg),
        "launcher": node_of(launcher),
        **adapter.Nodes,
        "adapter": node_of(adapter, adapter.Nodes["adapter"]),
        "logger": _several(cfg, "logger"),
        **{f"logger.{name}": node_of(each) for name, each in classes.loggers.items()},
        "callbacks": _several(cfg, "callbacks"),
        **hooks.nodes(cfg),
    }
    libraries = ["recipe", *backend.libraries] + ["adapter.peft"] * (adapter is not Adapter)
    trainer = classes.trainer
    of_recipe = {**trainer.reserved, **trainer.derived} if trainer else backend.reserved
    return Schema(
        params=(own, launcher.Params, *(() if issubclass(own, adapter.Params) else (adapter.Params,))),
        nodes=nodes,
        libraries={path: _arguments(cfg, path, choices, python) for path in libraries} | hooks.libraries(cfg, python),
        reserved={"recipe": of_recipe, "adapter.peft": adapter.reserved, **backend.libraries},
        unfit=(*hooks.nameless(cfg), *_incompatible(choices, of_adapter, backend.takes_adapter)),
        elsewhere=partial(owner_of, of_adapter is not None),
    )


def search_path(target: str, python: str | None) -> tuple[str, ...]:
    """The folders in which a class that a recipe names is found: those of the worker, but for this package's own."""
    return () if target.startswith("training_hub.") else look_at(python).search_path


def _several(cfg: DictConfig, group: str) -> type[BaseModel]:
    """The class of a group of which any number of options may be chosen: it has a node for each."""
    inner: dict[str, Any] = dict.fromkeys(map(str, cfg.get(group) or {}), (Any, None))
    return create_model(group, **inner)


def _arguments(cfg: DictConfig, path: str, choices: Mapping[str, str], python: str | None) -> dict[str, str] | None:
    """The arguments of the library's class that a node names; where that is not installed, those that were tested.

    None where it names none, or one that is neither here nor was tested.
    """
    target = selected(cfg, f"{path}._target_")
    if not target:
        return None
    try:
        found = arguments(str(target), search_path(str(target), python))
    except ConfigError:  # no such interpreter: that is named where libraries are checked
        found = None
    return tested_arguments(choices["backend"], str(target)) if found is None else found


def _incompatible(choices: Mapping[str, str], of_algorithm: str | None, backend_takes_one: bool) -> Iterator[str]:
    """An adapter where none can be trained, and none where one must be."""
    adapter, algorithm, backend = (choices[group] for group in ("adapter", "algorithm", "backend"))
    if adapter != "none" and of_algorithm is None:
        yield fault("adapter", adapter, f"algorithm={algorithm} trains no adapter", "drop it")
    elif adapter != "none" and not backend_takes_one:
        yield fault("adapter", adapter, f"backend={backend} trains no adapter", "drop it, or use backend=trl")
    elif adapter == "none" and of_algorithm == "required":
        yield fault("adapter", adapter, f"algorithm={algorithm} trains one", "drop it, or use algorithm=sft")
