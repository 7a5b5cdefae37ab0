"""`--help`: the verbs, the config groups, and every parameter with type, default, unit and meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from omegaconf import OmegaConf
from pydantic import BaseModel

from training_hub import catalogue, train
from training_hub.config.choices import options
from training_hub.config.compose import Composition
from training_hub.config.groups import GROUPS
from training_hub.params import Params, unit
from training_hub.tools.explain import table, text

USAGE = """\
usage: python -m training_hub [VERB] [NAME=VALUE ...] [-m]      (or: training-hub ...)

  python -m training_hub model_path=MODEL data_path=rows.jsonl lr=1e-5 num_epochs=2
  python -m training_hub plan experiment=quickstart
  python -m training_hub -m lr=1e-5,5e-5 seed=1,2 ...
"""
FLAGS = """\
flags
  -m                     every combination of comma-separated values, one run each; jobs=N of them at a time
  --cfg job [--resolve]  print the composed config
  --config-dir DIR       a folder with config groups of your own, e.g. DIR/experiment/mine.yaml
  --info ...             how Hydra composed it: defaults, defaults-tree, searchpath, plugins
  --debug                show the traceback of an error
  --version, --hydra-help, -sc install=bash (tab completion for the script training-hub)"""


def help_text(verbs: Mapping[str, str], overrides: Sequence[str], folders: Sequence[str] = ()) -> str:
    """The text for what the overrides choose: `--help algorithm=osft` has osft's own parameters."""
    composition = train.composed(overrides, folders)
    algorithm, launcher = catalogue.algorithm_of(composition), catalogue.launcher_of(composition)
    adapter = catalogue.adapter_of(composition)
    own = algorithm.Params
    shared = set(Params.model_fields)
    names = [name for name in own.model_fields if name not in shared]
    choices = composition.choices
    beside = [name for name in adapter.Params.model_fields if name not in own.model_fields]
    return "\n".join(
        [
            USAGE,
            "verbs",
            *(f"  {name:<10}{meaning}" for name, meaning in verbs.items()),
            "",
            "choices (GROUP=OPTION)",
            *(f"  {group:<12}{', '.join(options(group))}" for group in sorted(GROUPS - {"recipe"})),
            "",
            "parameters of every algorithm",
            *_parameters(composition, Params, list(Params.model_fields)),
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
            f"any argument of {composition.cfg.recipe.get('_target_')} is recipe.NAME=VALUE; "
            "see also model.*, data.*, backend.* in --cfg job",
            "",
            FLAGS,
        ]
    )


def _parameters(composition: Composition, owner: type[BaseModel], names: list[str]) -> list[str]:
    rows = []
    for name in names:
        field = owner.model_fields[name]
        kind = type_text(field.annotation) + (f", {unit(field)}" if unit(field) else "")
        rows.append((f"  {name}", default_text(composition, name), kind, field.description or ""))
    return table(rows)


def default_text(composition: Composition, name: str) -> str:
    """The composed value of a parameter as it would be typed; `required` where it has none."""
    if OmegaConf.is_missing(composition.cfg, name):
        return "required"
    with composition.resolving() as cfg:
        return text(cfg[name])


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
