"""Whether a run may go on with a config: what of it differs from the one that the run began with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from training_hub.config.composition import Composition
from training_hub.config.origin import references
from training_hub.config.schema import Schema
from training_hub.params import may_change

# Where and how a run is carried out, where its numbers go, and who watches it.
_AROUND = {"callbacks", "launcher", "logger"}


def differences(
    composition: Composition, now: Mapping[str, Any], before: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """What may not change and did: dotted key -> (before, now), parameters before the settings of groups.

    now, before: resolved configs. What a parameter or another setting brings along is not named beside it.
    """
    schema = composition.schema
    nodes = {path.split(".")[0] for path in (*schema.nodes, *schema.libraries)}
    launching = composition.used.get("launcher", set())
    free = launching.union(*(may_change(owner) for owner in schema.params))
    known = schema.parameters & now.keys() & before.keys()
    changed = {key: (before[key], now[key]) for key in sorted(known) if before[key] != now[key]}
    elsewhere = nodes | launching | changed.keys()
    settings = {
        key: values
        for node in sorted(nodes - _AROUND)
        for key, values in _leaves(node, before.get(node), now.get(node))
        if not (_is_free(key, schema) or _is_news(key, now, before))
        if not references(_as_written(composition.cfg, key)) & elsewhere
    }
    return {key: values for key, values in changed.items() if key not in free} | settings


def _leaves(path: str, before: Any, now: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """The entries that differ, at whatever depth; a list is one entry."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in [*now, *(key for key in before if key not in now)]:
            yield from _leaves(f"{path}.{key}", before.get(key), now.get(key))
    elif before != now:
        yield path, (before, now)


def _is_free(key: str, schema: Schema) -> bool:
    path, _, name = key.rpartition(".")
    return path in schema.nodes and name in may_change(schema.nodes[path])


def _is_news(key: str, *configs: Mapping[str, Any]) -> bool:
    """Whether a key is of a format that is not in both configs: an installed package brought or took it."""
    name = key.removeprefix("data.formats.").partition(".")[0]
    there = [name in (config.get("data", {}).get("formats") or {}) for config in configs]
    return key.startswith("data.formats") and not all(there)


def _as_written(cfg: DictConfig, key: str) -> Any:
    """An entry with its interpolations; None where there is none."""
    parent, _, last = key.rpartition(".")
    node = OmegaConf.select(cfg, parent)
    return node._get_node(last) if isinstance(node, DictConfig) else None
