"""`--help`: the verbs, the config groups, and every parameter with type, default, unit and meaning."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from omegaconf import OmegaConf
from pydantic import BaseModel

from training_hub import catalogue
from training_hub.config.choices import options
from training_hub.config.composition import Composition
from training_hub.config.groups import GROUPS
from training_hub.params import Params, sections, unit

_WIDTH = 100
_NAMES = 26  # columns of the names; a longer one has a line of its own

USAGE = """\
usage: python -m training_hub [VERB] [NAME=VALUE ...] [-m]      (or: training-hub ...)

  python -m training_hub model_path=MODEL data_path=rows.jsonl lr=1e-5 num_epochs=2
  python -m training_hub plan experiment=quickstart
  python -m training_hub -m lr=1e-5,5e-5 seed=1,2 ...
"""
FLAGS = {
    "-m": "run every combination of comma-separated values; jobs=N: so many at a time",
    "--cfg job [--resolve]": "print the composed config",
    "--config-dir DIR": "add a folder with config groups of your own, such as DIR/experiment/mine.yaml",
    "--info ...": "show how the config is composed: defaults, defaults-tree, searchpath, plugins",
    "--debug": "show the traceback of an error",
    "-sc install=bash": "install tab completion for the script training-hub",
    "--version": "print the version",
    "--hydra-help": "print Hydra's own help",
}


def help_text(verbs: Mapping[str, str], overrides: Sequence[str], folders: Sequence[str] = ()) -> str:
    """The text for what the overrides choose: `--help algorithm=osft` has osft's own parameters."""
    composition = catalogue.composed(overrides, folders, sweep=None)
    algorithm, launcher = composition.classes.algorithm, composition.classes.launcher
    adapter = composition.classes.adapter
    own = algorithm.Params
    shared = set(Params.model_fields)
    names = [name for name in own.model_fields if name not in shared]
    choices = composition.choices
    beside = [name for name in adapter.Params.model_fields if name not in own.model_fields]
    return "\n".join(
        [
            USAGE,
            "verbs",
            *(line for name, meaning in verbs.items() for line in _entry(name, meaning, 15)),
            "",
            "choices (GROUP=OPTION)",
            *(line for group in sorted(GROUPS - {"recipe"}) for line in _entry(group, ", ".join(options(group)), 15)),
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
                _WIDTH,
            ),
            "",
            "flags",
            *(line for flag, meaning in FLAGS.items() for line in _entry(flag, meaning, _NAMES)),
        ]
    )


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
        lines += _entry(name, f"{field.description} ({kind}; {shown})", _NAMES)
    return lines


def _entry(name: str, meaning: str, column: int) -> list[str]:
    """A name and what it means, wrapped; the meaning begins at a column."""
    wrapped = textwrap.wrap(meaning, _WIDTH - column, break_long_words=False, break_on_hyphens=False)
    first, *rest = wrapped or [""]
    beside = [f"  {name:<{column - 2}}{first}"] if len(name) < column - 2 else [f"  {name}", " " * column + first]
    return [*beside, *(" " * column + line for line in rest)]


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


def type_text(annotation: Any) -> str:
    """`int | None` -> `int or null`; `Literal["a", "b"]` -> `a or b`."""
    arguments = get_args(annotation)
    if annotation is type(None):
        return "null"
    if get_origin(annotation) is Literal:
        return " or ".join(map(str, arguments))
    if get_origin(annotation) is Annotated:
        return type_text(arguments[0])
    if get_origin(annotation) is Union or (arguments and type(annotation).__name__ == "UnionType"):
        return " or ".join(dict.fromkeys(type_text(each) for each in arguments))
    if get_origin(annotation) in (list, dict):
        return "list" if get_origin(annotation) is list else "mapping"
    name = str(annotation.__name__)
    return {"str": "text", "bool": "true or false"}.get(name, name)
