"""The objects behind a config's choices: each made from its node, whose settings are what its constructor is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hydra import utils
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from training_hub.config.classes import Classes
from training_hub.errors import ConfigError, fault
from training_hub.interfaces.adapter import Adapter
from training_hub.interfaces.logger import Logger

# Hydra 1.4 wants the names of what may be called; 1.3 would pass them on to the constructor.
_LISTS_TARGETS = hasattr(utils, "UNSAFE_DISABLE_EXECUTION_CHECKS")


@dataclass(frozen=True)
class Objects:
    """Those of one config."""

    backend: Any
    adapter: Adapter
    launcher: Any
    loggers: Mapping[str, Logger]


def objects_of(config: Mapping[str, Any], classes: Classes) -> Objects:
    """Make them from a resolved config. ConfigError with what each constructor refuses.

    The classes have been found and are trusted: Hydra is given the class itself, and calls nothing that the inside of a
    node names.
    """
    nodes = config.get("logger") or {}
    loggers = {name: made(each, nodes.get(name), f"logger.{name}") for name, each in classes.loggers.items()}
    backend, adapter, launcher = (
        made(kind, config.get(group), group)
        for group, kind in (("backend", classes.backend), ("adapter", classes.adapter), ("launcher", classes.launcher))
    )
    return Objects(backend, adapter, launcher, loggers)


def made(kind: type, node: Mapping[str, Any] | None, key: str, **further: Any) -> Any:
    """An object of a class by its node. key: where that stands; further: what its constructor is given beside it."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    if _LISTS_TARGETS:
        further["_execution_whitelist_"] = [name]
    try:
        return instantiate({**(node or {}), "_target_": kind}, _recursive_=False, _convert_="all", **further)
    except Exception as error:  # whatever a constructor raises; Hydra 1.3 wraps it, 1.4 does not
        cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
        reason = str(cause).partition("\n")[0]
        raise ConfigError(
            fault(f"{key}._target_", name, f"cannot be made: {reason}", f"correct the settings of {key}")
        ) from None
