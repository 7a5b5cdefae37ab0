"""Who set a value, where it stands, and how it was written."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import OmegaConf

from training_hub.config.compose import Composition

_REFERENCE = re.compile(r"\$\{\s*([A-Za-z_][\w.]*)\s*\}")


def user_keys(composition: Composition) -> set[str]:
    """What the user set: typed, in an experiment, or in a file of the user's own."""
    return set(composition.typed.values).union(*(source.keys for source in composition.sources if source.is_users))


def place_of(composition: Composition, key: str) -> str:
    """Where a key stands, for one that was not typed: ` (experiment/mine.yaml, line 3)`."""
    if key in composition.typed:
        return ""
    for source in reversed(composition.sources):
        if key in source.keys:
            return source.place(key)
    return ""


def shown(composition: Composition, key: str) -> Any:
    """A value as it was typed or as it stands in its file, interpolations not resolved."""
    if key in composition.typed:
        return composition.typed.values[key]
    parent, _, last = key.rpartition(".")
    node = OmegaConf.select(composition.cfg, parent) if parent else composition.cfg
    value: Any = node._get_node(last) if OmegaConf.is_dict(node) else None
    if value is None:  # a dot in a key of a file, which no path can name
        return "..."
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value._value()


def references(node: Any) -> set[str]:
    """Root keys that an unresolved node refers to, at any depth."""
    text = str(OmegaConf.to_container(node) if OmegaConf.is_config(node) else node)
    return {match.split(".")[0] for match in _REFERENCE.findall(text)}
