"""The classes behind a config's choices, and the schema that they make together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import BaseModel, create_model

from training_hub.adapters.base import Adapter
from training_hub.config import hooks
from training_hub.config.choices import entry, options, read_option
from training_hub.config.compose import Composition, compose
from training_hub.config.schema import Schema
from training_hub.config.tested import tested_arguments
from training_hub.config.values import interpreter_of, selected
from training_hub.data.params import DataNode
from training_hub.errors import ConfigError, fault
from training_hub.installed.interpreter import look_at
from training_hub.installed.locate import ADAPTER, ALGORITHM, BACKEND, LAUNCHER, LOGGER, find_class
from training_hub.installed.signature import arguments
from training_hub.loggers import LOGGER_SETTINGS
from training_hub.loggers.base import Logger
from training_hub.params import ModelNode, Params, SweepParams, aliases
from training_hub.registry import AlgorithmRegistry

# Algorithm, Backend and Launcher classes are looked up by name and stand above this module, hence Any.


def algorithm_of(composition: Composition) -> Any:
    """The class of the chosen algorithm."""
    name = composition.choices["algorithm"]
    return AlgorithmRegistry.made_in_python(name) or _named(composition, "algorithm", "algorithm._target_", ALGORITHM)


def backend_of(composition: Composition) -> Any:
    """The class of the chosen backend."""
    algorithm, name = composition.choices["algorithm"], composition.choices["backend"]
    return AlgorithmRegistry.made_in_python(algorithm, name) or _named(composition, "backend", "_target_", BACKEND)


def launcher_of(composition: Composition) -> Any:
    """The class of the chosen launcher."""
    return _named(composition, "launcher", "launcher._target_", LAUNCHER)


def adapter_of(composition: Composition) -> Any:
    """The class of the adapter: the chosen one, or that of a recipe that is one itself."""
    if target := selected(composition.cfg, "adapter._target_"):
        return find_class(str(target), ADAPTER)
    name = composition.choices["adapter"]
    return Adapter if name == "none" else _named(composition, "adapter", "adapter._target_", ADAPTER)


def logger_of(composition: Composition, name: str) -> Any:
    """The class of a logger; that of all of them for a name that none has."""
    target = selected(composition.cfg, f"logger.{name}._target_")
    if target is None and name not in options("logger"):
        return Logger
    return find_class(str(entry("logger", name, "_target_") if target is None else target), LOGGER)


def logger_faults(composition: Composition, config: Mapping[str, Any]) -> list[str]:
    """What is wrong with the loggers of a resolved config."""
    return [text for name, node in config["logger"].items() for text in logger_of(composition, name).check(node)]


def composed(
    overrides: Sequence[str],
    config_dirs: Sequence[str] = (),
    typed_in: str = "command line",
    sweep: bool | None = False,
) -> Composition:
    """Compose overrides, parameters under any of their names; see `compose`."""
    return compose(overrides, names(), config_dirs, typed_in, sweep)


def names() -> dict[str, str]:
    """Every other name of a parameter, or of a logger's setting -> its own."""
    return aliases(Params) | LOGGER_SETTINGS


def is_python_made(composition: Composition) -> bool:
    """Whether the algorithm or the backend is a class of the user's that no recipe describes."""
    return not hasattr(algorithm_of(composition), "Params") or not hasattr(backend_of(composition), "Node")


def refuse_python_made(composition: Composition) -> None:
    """ConfigError for what only a recipe can answer."""
    if is_python_made(composition):
        algorithm, backend = composition.choices["algorithm"], composition.choices["backend"]
        rule = f"algorithm={algorithm} on it is made in Python, no recipe says how its parameters are used"
        raise ConfigError(fault("backend", backend, rule, "only train can run it"))


def alternatives(algorithm: str) -> list[str]:
    """Backends of an algorithm that run without a GPU."""
    return [name for name in options(f"recipe/{algorithm}") if not read_option("backend", name).get("needs_gpu")]


def schema_of(composition: Composition) -> Schema:
    """What this composition may hold."""
    launcher, backend, adapter = launcher_of(composition), backend_of(composition), adapter_of(composition)
    algorithm = algorithm_of(composition)
    own = algorithm.Params
    nodes: dict[str, type[BaseModel]] = {
        "algorithm": algorithm.Node,
        "backend": backend.Node,
        "model": ModelNode,
        "data": DataNode,
        "launcher": launcher.Node,
        **adapter.Nodes,
        **_several(composition, "logger"),
        **{f"logger.{name}": logger_of(composition, name).Node for name in composition.cfg.get("logger") or {}},
        **_several(composition, "callbacks"),
        **hooks.nodes(composition),
    }
    libraries = ["recipe", *backend.libraries] + ["adapter.peft"] * (adapter is not Adapter)
    return Schema(
        params=(own, launcher.Params, *(() if issubclass(own, adapter.Params) else (adapter.Params,))),
        nodes=nodes,
        libraries={path: _arguments(composition, path) for path in libraries} | hooks.libraries(composition),
        owned={
            "recipe": backend.owned_of(str(selected(composition.cfg, "recipe._target_"))),
            "adapter.peft": adapter.owned,
            **backend.libraries,
        },
        unfit=tuple(_unfit(composition)),
        elsewhere=partial(_owner, _takes_adapter(composition)),
    )


def _several(composition: Composition, group: str) -> dict[str, type[BaseModel]]:
    """A group of which any number of options may be chosen: a node with a node for each."""
    inner: dict[str, Any] = dict.fromkeys(map(str, composition.cfg.get(group) or {}), (Any, None))
    return {group: create_model(group, **inner)}


def _arguments(composition: Composition, path: str) -> dict[str, str] | None:
    """The arguments of the library's class that a node names; where that is not installed, those that were tested.

    None where it names none, or one that is neither here nor was tested.
    """
    target = selected(composition.cfg, f"{path}._target_")
    if not target:
        return None
    try:
        found = arguments(str(target), search_path(str(target), interpreter_of(composition.cfg)))
    except ConfigError:  # no such interpreter: that is named where libraries are checked
        found = None
    return tested_arguments(composition.choices["backend"], str(target)) if found is None else found


def search_path(target: str, python: str | None) -> tuple[str, ...]:
    """The folders in which a class that a recipe names is found: those of the worker, but for this package's own."""
    return () if target.startswith("training_hub.") else look_at(python).search_path


def _takes_adapter(composition: Composition) -> bool:
    """Whether the chosen algorithm can train an adapter."""
    return selected(composition.cfg, "algorithm.adapter") is not None


def _unfit(composition: Composition) -> Iterator[str]:
    """An adapter where none can be trained, and none where one must be; settings of what is not chosen."""
    yield from hooks.nameless(composition)
    choices = composition.choices
    adapter, algorithm, backend = (choices[group] for group in ("adapter", "algorithm", "backend"))
    if adapter != "none" and not _takes_adapter(composition):
        yield fault("adapter", adapter, f"algorithm={algorithm} trains no adapter", "drop it")
    elif adapter != "none" and not backend_of(composition).takes_adapter:
        yield fault("adapter", adapter, f"backend={backend} trains no adapter", "drop it, or use backend=trl")
    elif adapter == "none" and selected(composition.cfg, "algorithm.adapter") == "required":
        yield fault("adapter", adapter, f"algorithm={algorithm} trains one", "drop it, or use algorithm=sft")


def _named(composition: Composition, group: str, key: str, kind: str) -> Any:
    """The class that the config names for a group; key: where the option's file says so; kind: what it must be."""
    target = selected(composition.cfg, f"{group}._target_")
    return find_class(str(entry(group, composition.choices[group], key) if target is None else target), kind)


def _launcher(name: str) -> Any:
    return find_class(entry("launcher", name, "launcher._target_"), LAUNCHER)


def _adapter(name: str) -> Any:
    return find_class(entry("adapter", name, "adapter._target_"), ADAPTER)


def _owner(takes_adapter: bool, name: str) -> str | None:
    """The choice that would bring a parameter along: `algorithm=lora_sft`."""
    if name in {**SweepParams.model_fields, **aliases(SweepParams)}:
        return "sweeps: add -m"
    for adapter in options("adapter") if takes_adapter else ():
        if adapter != "none" and name in _adapter(adapter).Params.model_fields:
            return f"adapter={adapter}"
    for algorithm in options("algorithm"):
        owner = getattr(AlgorithmRegistry.get_algorithm(algorithm), "Params", None)
        if owner is not None and name in owner.model_fields:
            return f"algorithm={algorithm}"
    return next(
        (f"launcher={each}" for each in options("launcher") if name in _launcher(each).Params.model_fields), None
    )
