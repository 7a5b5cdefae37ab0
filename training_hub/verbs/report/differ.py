"""What differs between configs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

NONE = "-"  # where a run has no such setting
_WHERE = ("output_dir", "overwrite", "resume")  # where a run lies, and whether it may: not what it does
_CHOICES = ("algorithm", "backend", "recipe", "adapter", "launcher")


def differences(flat: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """The settings that are not the same in all: name -> a value for each. flat: what `flatten` makes of configs.

    A setting that only follows from another one, as `recipe.learning_rate` from `lr`, is left out; so are settings of
    different choices, such as the arguments of two libraries, which cannot be compared.
    """
    every = dict.fromkeys(name for each in flat for name in each)
    names = sorted(every, key=lambda name: (name not in _CHOICES, name.count(".")))
    incomparable = {group for group in _CHOICES if len(set(_values(flat, f"{group}._target_"))) > 1}
    told = {tuple(_values(flat, name)) for name in _WHERE}
    found = {}
    for name in names:
        values, (group, dot, _) = _values(flat, name), name.partition(".")
        if len(set(values)) > 1 and tuple(values) not in told and not (dot and group in incomparable):
            told.add(tuple(values))
            found[name] = values
    return found


def shown(value: Any) -> str:
    """A value as it is typed."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Every setting by its full name, as text: `{"data.format": "auto"}`."""
    found: dict[str, str] = {}
    for key, value in config.items():
        is_node = isinstance(value, Mapping)
        found |= flatten(value, f"{prefix}{key}.") if is_node else {f"{prefix}{key}": shown(value)}
    return found


def _values(flat: Sequence[Mapping[str, str]], name: str) -> list[str]:
    return [each.get(name, NONE) for each in flat]
