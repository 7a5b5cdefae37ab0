"""Training with what Python code registered: no recipe describes it, and it runs in this process."""

from __future__ import annotations

from typing import Any

from omegaconf import OmegaConf

from training_hub.config.composition import Composition
from training_hub.config.lookup import plain
from training_hub.errors import ConfigError, fault, suggestion
from training_hub.params import Params, aliases
from training_hub.registry import create_algorithm


def run(composition: Composition) -> Any:
    """Train with an algorithm or a backend that Python code registered, and return what it returns."""
    algorithm = create_algorithm(composition.choices["algorithm"], composition.choices["backend"])
    required, optional = algorithm.get_required_params(), algorithm.get_optional_params()
    declared = {**required, **optional}
    other = {own: alias for alias, own in aliases(Params).items()}
    with composition.resolving() as cfg:
        typed = {key: plain(OmegaConf.select(cfg, key)) for key in composition.typed.values}
    given = {other[key] if other.get(key) in declared else key: value for key, value in typed.items()}
    faults = [
        fault(key, value, "no such parameter", suggestion(key, declared))
        for key, value in given.items()
        if key not in declared
    ]
    faults += [f"{key}: required parameter is missing; add {key}=..." for key in required if key not in given]
    if faults:
        raise ConfigError(*faults)
    return algorithm.train(**given)
