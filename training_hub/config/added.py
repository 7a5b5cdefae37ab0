"""Settings that did not exist when a run began: a run that resumes takes them at their defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from training_hub.config.composition import Composition


def since(
    composition: Composition, before: Mapping[str, Any], changed: Iterable[str], typed: Iterable[str]
) -> set[str]:
    """Those of the changed keys that `before` lacks, and that the user neither sets now nor deleted then.

    before: the resolved config that the run began with. typed: the overrides that it was started with.
    """
    deleted = {text.removeprefix("~").partition("=")[0] for text in typed if text.startswith("~")}
    return {key for key in changed if _lacks(before, key)} - composition.by_user - deleted


def _lacks(config: Mapping[str, Any], key: str) -> bool:
    *nodes, last = key.split(".")
    node: Any = config
    for name in nodes:
        node = node.get(name) if isinstance(node, Mapping) else None
    return isinstance(node, Mapping) and last not in node
