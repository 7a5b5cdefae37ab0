"""The part of `--help` that needs a config: the choices, and every parameter with type, default and unit."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf
from pydantic import BaseModel

from training_hub import catalogue
from training_hub.command_line.entries import NAMES, WIDTH, entry
from training_hub.command_line.kinds import type_text
from training_hub.config.choices import options_of
from training_hub.config.composition import Composition
from training_hub.config.groups import GROUPS, NAMED_BY, conf_loader
from training_hub.params import Params, sections, unit


def lines(overrides: Sequence[str], config_dirs: Sequence[str] = ()) -> list[str]:
    """Choices and parameters, for what the overrides choose: `--help algorithm=osft` has osft's own parameters."""
    composition = catalogue.composed(overrides, config_dirs, sweep=None)
    algorithm, launcher = composition.classes.algorithm, composition.classes.launcher
    adapter = composition.classes.adapter
    own = algorithm.Params
    shared = set(Params.model_fields)
    names = [name for name in own.model_fields if name not in shared]
    choices = composition.choices
    beside = [name for name in adapter.Params.model_fields if name not in own.model_fields]
    return [
        "choices (GROUP=OPTION)",
        *_choices(),
        "",
        f"parameters, with the defaults of algorithm={choices['algorithm']}",
        *_shared(composition),
        "",
        f"parameters of algorithm={choices['algorithm']}",
        *_parameters(composition, own, names),
        "",
        *([f"parameters of adapter={choices['adapter']}"] if beside else []),
        *(_parameters(composition, adapter.Params, beside) if beside else []),
        *([""] if beside else []),
        f"parameters of launcher={choices['launcher']}",
        *_parameters(composition, launcher.Params, list(launcher.Params.model_fields)),
        "",
        *textwrap.wrap(
            f"Set any argument of {composition.cfg.recipe.get('_target_')} with recipe.NAME=VALUE. "
            "Settings of the groups, such as data.too_long, are listed by --cfg job.",
            WIDTH,
        ),
    ]


def _choices() -> list[str]:
    """The options of each group."""
    with conf_loader() as loader:  # one for all: it takes milliseconds to make
        found = {group: options_of(loader, group) for group in sorted(GROUPS - {"recipe"})}
    return [line for group, names in found.items() for line in entry(NAMED_BY.get(group, group), ", ".join(names), 15)]


def _shared(composition: Composition) -> list[str]:
    """The parameters of every algorithm, under their headings."""
    lines: list[str] = []
    for heading, names in sections(Params).items():
        lines += ["", f" {heading}", *_parameters(composition, Params, names)]
    return lines[1:]


def _parameters(composition: Composition, owner: type[BaseModel], names: list[str]) -> list[str]:
    lines = []
    for name in names:
        field = owner.model_fields[name]
        kind = type_text(field.annotation) + (f", {unit(field)}" if unit(field) else "")
        default = default_text(composition, name)
        shown = default if default == "required" else f"default {default}"
        lines += entry(name, f"{field.description} ({kind}; {shown})", NAMES)
    return lines


def default_text(composition: Composition, name: str) -> str:
    """The composed value of a parameter as it would be typed; `required` where it has none."""
    if OmegaConf.is_missing(composition.cfg, name):
        return "required"
    with composition.resolving() as cfg:
        return text(cfg[name])


def text(value: Any) -> str:
    """A value as it would be typed."""
    value = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
