"""From a dotted `_target_` to the Python object."""

from __future__ import annotations

import importlib
import os
from typing import Any

from training_hub.errors import ConfigError, fault
from training_hub.installed.extensions import extensions

# A config file may come from anywhere, and importing runs code: only what is known, and what the user allows here.
ALLOWED_VARIABLE = "TRAINING_HUB_TARGETS"
_handed_over: set[str] = set()


def hand_over(target: str) -> None:
    """Allow a class of which the user's own code gave an instance: that code has run already."""
    _handed_over.add(target)


def refusal(target: str) -> str | None:
    """Why a `_target_` may not be called: one fault, None where it may.

    Its package must be this one, one that adds choices (extensions), or one that the environment variable
    TRAINING_HUB_TARGETS names (several: separated by commas).
    """
    parts = target.split(".")
    if not all(map(str.isidentifier, parts)):
        return fault("_target_", target, "not a dotted name", "give package.module.Class")
    allowed = ["training_hub", *os.environ.get(ALLOWED_VARIABLE, "").split(",")]
    if parts[0] in [*allowed, *(each.package for each in extensions())] or target in _handed_over:
        return None
    way = f"set {ALLOWED_VARIABLE}={parts[0]} if you trust it"
    return fault("_target_", target, f"code of {parts[0]} is not run from a config", way)


def locate(target: str) -> Any:
    """Import `package.module.Name`, inner names included. ConfigError where that is not allowed, or not there."""
    if text := refusal(target):
        raise ConfigError(text)
    return find(target)


def find(target: str) -> Any:
    """Import what has been allowed: by a worker, once the front has checked its config. ConfigError where it is not."""
    parts = target.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:cut])
        try:
            found: Any = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise  # the module is there, but something that it imports is not
            continue
        for inner in parts[cut:]:
            found = getattr(found, inner, None)
        if found is not None:
            return found
        break
    raise ConfigError(fault("_target_", target, "no such class", "give package.module.Class"))
