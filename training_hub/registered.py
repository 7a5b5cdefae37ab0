"""Training with an algorithm or a backend that no recipe describes: it runs in this process."""

from __future__ import annotations

from typing import Any

from omegaconf import OmegaConf

from training_hub.config.composition import Composition
from training_hub.config.constructor import taken
from training_hub.config.lookup import plain
from training_hub.config.objects import made
from training_hub.errors import ConfigError, fault, suggestion
from training_hub.interfaces.algorithm import Algorithm
from training_hub.params import Params, aliases
from training_hub.registry import AlgorithmRegistry


def run(composition: Composition) -> Any:
    """Train with an algorithm or a backend that no recipe describes, and return what it returns."""
    algorithm = _algorithm(composition)
    required, optional = algorithm.get_required_params(), algorithm.get_optional_params()
    declared = {**required, **optional}
    other = {own: alias for alias, own in aliases(Params).items()}
    with composition.resolving() as cfg:
        typed = {key: plain(OmegaConf.select(cfg, key)) for key in composition.typed.values if not _is_of_node(key)}
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


def _algorithm(composition: Composition) -> Algorithm:
    """The algorithm with its backend, each made from its node, or without one where Python code registered it."""
    name, backend_name = composition.choices["algorithm"], composition.choices["backend"]
    made_in_python = AlgorithmRegistry.made_in_python
    backend = _made(composition, "backend", bool(made_in_python(name, backend_name)))
    found: Algorithm = _made(composition, "algorithm", bool(made_in_python(name)), backend=backend)
    return found


def _made(composition: Composition, group: str, registered: bool, **further: Any) -> Any:
    """One of the two. A setting that its constructor does not take is its fault only where the user has set it."""
    kind: Any = getattr(composition.classes, group)
    with composition.resolving() as cfg:
        node: dict[str, Any] = {} if registered else plain(cfg.get(group)) or {}
    of_recipe = set(kind.Node.model_fields) if group == "algorithm" and hasattr(kind, "Node") else set()
    known = taken(kind)
    settings = {
        name: value
        for name, value in node.items()
        if name not in of_recipe and (known is None or name in known or f"{group}.{name}" in composition.by_user)
    }
    return made(kind, settings, group, **further)


def _is_of_node(key: str) -> bool:
    return key.startswith(("algorithm.", "backend."))
