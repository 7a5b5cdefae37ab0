"""Callbacks that Python callers give, as settings: an instance is its class and the arguments that it was made with."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from training_hub.callbacks import TrainingHubCallback
from training_hub.errors import ConfigError, fault
from training_hub.installed import trust

_PLAIN = (bool, int, float, str, list, tuple, dict, type(None))
_WAY = "put it into a module of its own, and import it from there"


def settings_of(given: Any) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Names of options, and the node of each callback by its name.

    given: an instance, a class, an option's name or a dict with `_target_`, or several in a list or in a dict by name.
    ConfigError for anything else, and for what a worker could not make again.
    """
    if isinstance(given, Mapping) and "_target_" not in given:
        return [], {str(name): _node(each) for name, each in given.items()}
    several = list(given) if isinstance(given, list | tuple) else [given]
    nodes: dict[str, dict[str, Any]] = {}
    for node in (_node(each) for each in several if not isinstance(each, str)):
        name = _unused(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", node["_target_"].rpartition(".")[2]).lower(), nodes)
        nodes[name] = node
    return [each for each in several if isinstance(each, str)], nodes


def _node(given: Any) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return dict(given)
    kind = given if isinstance(given, type) else type(given)
    if not issubclass(kind, TrainingHubCallback):
        way = "give a training_hub.TrainingHubCallback, an option, or a dict with _target_"
        raise ConfigError(fault("callbacks", kind.__name__, "no callback", way))
    arguments = {} if isinstance(given, type) else _arguments(given)
    target = f"{kind.__module__}.{kind.__qualname__}"
    if kind.__module__ == "__main__" or "<locals>" in target:
        where = "a script or notebook" if kind.__module__ == "__main__" else "a function"
        raise ConfigError(fault("callbacks", kind.__name__, f"defined in {where}, where no worker finds it", _WAY))
    trust.allow(packages=[kind.__module__])  # code of the caller's own, which has run already
    return {"_target_": target, **(_defaults(kind) if target.startswith("training_hub.") else {}), **arguments}


def _defaults(kind: type) -> dict[str, Any]:
    """The defaults of a class of the project, whose settings are all checked."""
    parameters = inspect.signature(kind).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not each.empty}


def _arguments(given: TrainingHubCallback) -> dict[str, Any]:
    """What it was made with. ConfigError where it was changed since: the worker makes it anew."""
    arguments = dict(given._given or {})
    name = type(given).__name__
    way = f"give {{'_target_': '{type(given).__module__}.{name}', ...}}, or the value as an argument of __init__"
    try:
        fresh = vars(type(given)(**arguments))
    except TypeError:
        raise ConfigError(fault("callbacks", name, "takes arguments without names", way)) from None
    for key, value in vars(given).items():
        if key != "_given" and isinstance(value, _PLAIN) and (key not in fresh or fresh[key] != value):
            raise ConfigError(fault("callbacks", name, f"its {key} was changed after it was made", way))
    return arguments


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    return next(each for each in (name, *(f"{name}_{number}" for number in range(2, 999))) if each not in taken)
