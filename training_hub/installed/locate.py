"""From a dotted name to the class or function that it names, of the kind that is wanted and from code that is trusted.

What was found decides, not how it was reached: a module may hold whatever its own imports brought along.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from training_hub.errors import ConfigError, fault
from training_hub.installed import trust

ALGORITHM = "training_hub.interfaces.algorithm.Algorithm"
BACKEND = "training_hub.interfaces.backend.Backend"
LAUNCHER = "training_hub.interfaces.launcher.Launcher"
ADAPTER = "training_hub.interfaces.adapter.Adapter"
LOGGER = "training_hub.interfaces.logger.Logger"
CLIENT = "training_hub.workers.loggers.base.Client"
FORMAT = "training_hub.data.formats.base.Format"
TRAINER = "training_hub.trainers.base.Trainer"
CALLBACK = "training_hub.callbacks.TrainingHubCallback"
_WAY = "derive it from that"


def find_class(target: str, kind: str, *further: str, key: str = "_target_") -> Any:
    """Import `package.module.Class`, inner classes included, without calling anything.

    kind, further: dotted names of classes, of one of which it must be a subclass or which it must be. key: what names
    it. ConfigError where that is not trusted, not there, or something else.
    """
    found = _found(target, key)
    bases = {f"{each.__module__}.{each.__qualname__}" for each in found.__mro__} if isinstance(found, type) else set()
    if not bases & {kind, *further}:
        raise ConfigError(fault(key, target, f"no {kind.replace('training_hub.callbacks', 'training_hub')}", _WAY))
    if inspect.isabstract(found):
        raise ConfigError(
            fault(
                key,
                target,
                "is abstract: some of its methods are not implemented",
                "give a subclass that implements them",
            )
        )
    return found


def find_function(target: str, arguments: int, key: str = "backend.worker") -> Callable[..., Any]:
    """Import `package.module.function`, which so many arguments can be given to; it is not called. Raises as above."""
    if text := trust.worker_refusal(target, key):
        raise ConfigError(text)
    found = _found(target, key)
    try:
        if type(found) is FunctionType and (found.__name__ == "train" or not found.__module__.startswith(trust.OWN)):
            inspect.signature(found, eval_str=False).bind(*[None] * arguments)
            return found
    except TypeError:
        pass
    raise ConfigError(fault(key, target, f"no function of {arguments} arguments", "give package.module.function"))


def _found(target: str, key: str) -> Any:
    if text := trust.refusal(target, key):
        raise ConfigError(text)
    parts = target.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module = _module(".".join(parts[:cut]))
        if module is not None:
            found = _inside(module, parts[cut:], target, key)
            if found is not None:
                return found
            break
    raise ConfigError(fault(key, target, "no such class", "give package.module.Class"))


def _module(name: str) -> ModuleType | None:
    """A module that lies in a trusted package; None where there is none."""
    if not trust.is_trusted(name):
        return None
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is there, but something that it imports is not
        return None


def _inside(module: ModuleType, names: list[str], target: str, key: str) -> Any:
    """Walk from a module through classes alone, each of them from trusted code; None where a name leads nowhere."""
    found = getattr(module, names[0], None)
    for inner in [*names[1:], None]:
        if not isinstance(found, type | FunctionType):
            return None
        if not trust.is_trusted(str(found.__module__)):
            package = str(found.__module__).partition(".")[0]
            way = f"set {trust.ALLOWED_VARIABLE}={package} if you trust it"
            raise ConfigError(fault(key, target, f"code of {package} is not run from a config", way))
        if inner is None:
            return found
        found = vars(found).get(inner)
    return None
