"""`~NAME` on the command line: takes a setting out of a composed config."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from training_hub.config.groups import TOP_GROUPS
from training_hub.errors import ConfigError, fault

_WAY = "drop it"


def is_deletion(override: Override) -> bool:
    """Whether an override deletes a setting; Hydra itself deletes an option from a defaults list."""
    key = override.key_or_group
    return override.is_delete() and "/" not in key and key not in TOP_GROUPS and override.package is None


def delete(cfg: DictConfig, parsed: Sequence[Override]) -> None:
    """Delete what the overrides name. ConfigError for what is not there, or has another value than the one typed."""
    faults = [text for each in parsed if is_deletion(each) for text in _delete(cfg, each)]
    if faults:
        raise ConfigError(*faults)


def _delete(cfg: DictConfig, override: Override) -> Iterator[str]:
    parent, _, name = override.key_or_group.rpartition(".")
    node, value = _selected(cfg, parent) if parent else cfg, override.value()
    inner: Any = node._get_node(name) if isinstance(node, DictConfig) else None
    if inner is None:
        yield f"~{override.key_or_group}: there is no such setting; {_WAY}"
    elif value not in ("", None) and value != (found := OmegaConf.to_container(node, resolve=False)[name]):  # type: ignore[call-overload,index]
        yield fault(f"~{override.key_or_group}", value, f"its value is {found}", "drop the value")
    else:
        del node[name]


def _selected(cfg: DictConfig, path: str) -> Any:
    try:
        return OmegaConf.select(cfg, path)
    except OmegaConfBaseException:
        return None
