"""One value of a config, resolved."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from training_hub.errors import ConfigError, fault


def resolution_fault(key: str, error: Exception) -> str:
    """What is wrong with a value that cannot be resolved.

    A resolver's own fault stands at the end of OmegaConf's sentence about it.
    """
    first = str(error).splitlines()[0]
    _, resolvers_own, text = first.partition(f"{ConfigError.__name__} raised while resolving interpolation: ")
    if resolvers_own:
        return text
    if first.startswith("Missing mandatory value"):
        return fault(key, "???", "has no value")
    if isinstance(error, InterpolationKeyError) and (name := re.search(r"key '\.*([^']+)' not found", first)):
        return f"{key}: refers to {name[1]}, which does not exist; correct the name"
    computed = first.startswith("TypeError raised while resolving")
    return f"{key}: cannot be computed from the settings that it refers to" if computed else f"{key}: {first}"


def selected(cfg: DictConfig, key: str) -> Any:
    """The value at a dotted path, None where there is none or where it is missing. ConfigError where it is a riddle."""
    try:
        return OmegaConf.select(cfg, key)
    except OmegaConfBaseException as error:
        raise ConfigError(resolution_fault(key, error)) from None


def interpreter_of(cfg: DictConfig) -> str | None:
    """What `backend.python` says; None where it says nothing that could be one, which is a fault of its own."""
    with suppress(OmegaConfBaseException):
        value = OmegaConf.select(cfg, "backend.python")
        return value if isinstance(value, str) and value else None
    return None


def plain(value: Any) -> Any:
    """A config value as plain Python, interpolations resolved."""
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
