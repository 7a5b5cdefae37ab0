"""Write docs/reference/parameters.md from the classes that hold the parameters and the defaults of `conf/`.

Run it after a change of either: python scripts/parameter_reference.py. A test compares the page with what it makes.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from omegaconf import OmegaConf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from training_hub import train
from training_hub.command_line.kinds import type_text
from training_hub.command_line.parameters import default_text, text
from training_hub.config.choices import options
from training_hub.config.composition import Composition
from training_hub.config.groups import SEVERAL
from training_hub.launchers.torchrun import INHERITED
from training_hub.params import Params, SweepParams, aliases, sections, unit

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "parameters.md"
SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
REPEATED = re.compile(r"\$\{[\w.]+\}")
NOW = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d")

OPENING = """\
# Parameters

<!-- Made by scripts/parameter_reference.py; edit the classes or conf/, then run it again. -->

Set a parameter with `NAME=VALUE` on the [command line](command-line.md), `NAME: VALUE` in an experiment, or as a
keyword argument of the Python functions. Names in brackets are aliases. `required` marks a parameter without a default.

A parameter that the chosen algorithm and backend do not use is refused. `python -m training_hub explain` shows what
each parameter becomes. `python -m training_hub --help algorithm=sft` lists the parameters of one algorithm.
"""
SWEEPS = """\
## Sweeps

Set them after `-m`, together with the parameters of the runs: [Sweeps](../guides/sweeps.md).
"""
SETTINGS = """\
## Settings of the config groups

Settings that are not parameters are set under the name of their group, for example `data.too_long=error`. Settings that
only repeat a parameter are left out: set the parameter. A default in `${...}` follows from the parameters in it.
"""
ARGUMENTS = """\
## From parameters to arguments

One table per pair of algorithm and backend, from its recipe. `${lr}` is the value of the parameter `lr`; `${name:...}`
calls a function in `training_hub/config/resolvers.py`. Set any other argument of the library with `recipe.NAME=VALUE`,
unless the worker reserves it; the error message then names the parameter to use.
"""


def page() -> str:
    """The whole page."""
    for name in (*INHERITED, "MASTER_ADDR", "MASTER_PORT"):  # what a surrounding torchrun sets would pass for defaults
        os.environ.pop(name, None)
    pairs = [(algorithm, backend) for algorithm in options("algorithm") for backend in options(f"recipe/{algorithm}")]
    composed = {pair: train.composed([f"algorithm={pair[0]}", f"backend={pair[1]}"]) for pair in pairs}
    any_pair = next(iter(composed.values()))
    firsts = {algorithm: composed[algorithm, backend] for algorithm, backend in reversed(pairs)}
    parts = [OPENING, "## Every algorithm", *_shared(firsts)]
    for algorithm, first in sorted(firsts.items()):
        own = first.classes.algorithm.Params
        adapter = first.classes.adapter.Params
        names = [name for name in own.model_fields if name not in {*Params.model_fields, *adapter.model_fields}]
        parts += [f"\n## algorithm={algorithm}\n", *_parameters(first, own, names)]
        if set(adapter.model_fields) & set(own.model_fields):
            name = first.choices["adapter"]
            parts += [f"\nand the parameters of [adapter={name}](#adapter{name})."]
    for adapter in (name for name in options("adapter") if name != "none"):
        chosen = train.composed([f"adapter={adapter}"])
        owner = chosen.classes.adapter.Params
        parts += [f"\n## adapter={adapter}\n", *_parameters(chosen, owner, owner.model_fields)]
    for launcher in options("launcher"):
        chosen = train.composed([f"launcher={launcher}"])
        owner = chosen.classes.launcher.Params
        parts += [f"\n## launcher={launcher}\n", *_parameters(chosen, owner, owner.model_fields)]
    parts += [f"\n{SWEEPS}", *_sweeps()]
    parts += [f"\n{SETTINGS}", *_all_settings(any_pair, list(composed.values()))]
    parts += [ARGUMENTS]
    for (algorithm, backend), each in composed.items():
        target = each.cfg.recipe.get("_target_")
        parts += [f"### {algorithm} on {backend}: `{target}`\n", *_arguments(each, "recipe"), ""]
        for path in (*each.classes.backend.libraries, "adapter.peft"):
            if inner := OmegaConf.select(each.cfg, f"{path}._target_"):
                parts += [f"and, as `{path}.NAME`, of `{inner}`:\n", *_arguments(each, path), ""]
    return "\n".join(parts).rstrip() + "\n"


def _shared(firsts: Mapping[str, Composition]) -> list[str]:
    """The parameters that every algorithm has, with the default of most, and beside it those of the others."""
    defaults = dict(sorted(firsts.items()))
    lines = []
    for heading, names in sections(Params).items():
        rows = []
        for name in names:
            found = {each: NOW.sub("DATE_TIME", default_text(defaults[each], name)) for each in defaults}
            found = {each: value.replace(f"outputs/{each}/", "outputs/ALGORITHM/") for each, value in found.items()}
            most = Counter(found.values()).most_common(1)[0][0]
            others = "".join(f"; {each}: `{value}`" for each, value in found.items() if value != most)
            rows.append((*_named(Params, name), (most if most == "required" else f"`{most}`") + others, _meaning(name)))
        lines += [f"\n### {heading.capitalize()}\n", *_table(("parameter", "type", "default", "meaning"), rows)]
    return lines


def _named(owner: type[BaseModel], name: str) -> tuple[str, str]:
    """A parameter's names, and its type."""
    other = {own: alias for alias, own in aliases(owner).items()}
    return f"`{name}`" + (f" (`{other[name]}`)" if name in other else ""), _kind(owner.model_fields[name])


def _meaning(name: str) -> str:
    return Params.model_fields[name].description or ""


def _all_settings(any_pair: Composition, pairs: Sequence[Composition]) -> list[str]:
    schema = any_pair.schema
    lines = []
    for group in ("model", "data"):
        lines += [f"### {group}\n", *_settings(any_pair, group, schema.nodes[group]), ""]
    for backend, each in {each.choices["backend"]: each for each in pairs}.items():
        lines += [f"### backend={backend}\n", *_settings(each, "backend", each.classes.backend.Node), ""]
    for group in SEVERAL:
        for option in options(group):
            each = train.composed([f"{group}=[{option}]"])
            path = f"{group}.{option}"
            owner = each.schema.nodes[path]
            if rows := _settings(each, path, owner)[2:]:
                lines += [f"### {group}={option}\n", *_table(("setting", "type", "default", "meaning"), []), *rows, ""]
    return lines


def _parameters(composition: Composition, owner: type[BaseModel], names: Iterable[str]) -> list[str]:
    rows = []
    for name in names:
        default = NOW.sub("DATE_TIME", default_text(composition, name))
        shown = default if default == "required" else f"`{default}`"
        rows.append((*_named(owner, name), shown, owner.model_fields[name].description or ""))
    return _table(("parameter", "type", "default", "meaning"), rows)


def _sweeps() -> list[str]:
    other = {own: alias for alias, own in aliases(SweepParams).items()}
    fields = SweepParams.model_fields.items()
    rows = [
        (f"`{name}`{f' (`{other[name]}`)' if name in other else ''}", _kind(field), "`null`", field.description or "")
        for name, field in fields
    ]
    return _table(("parameter", "type", "default", "meaning"), rows)


def _settings(composition: Composition, group: str, owner: type[BaseModel]) -> list[str]:
    """The settings of a node, but for those that repeat another key of the config."""
    node = OmegaConf.to_container(OmegaConf.select(composition.cfg, group), resolve=False)
    assert isinstance(node, dict)
    rows = [
        (f"`{group}.{name}`", _kind(field), f"`{text(node[name])}`", field.description or "")
        for name, field in owner.model_fields.items()
        if name in node and not REPEATED.fullmatch(str(node[name])) and "_target_" not in str(node[name])
    ]
    return _table(("setting", "type", "default", "meaning"), rows)


def _arguments(composition: Composition, path: str) -> list[str]:
    node = OmegaConf.to_container(OmegaConf.select(composition.cfg, path), resolve=False)
    assert isinstance(node, dict)
    rows = [(f"`{name}`", f"`{text(value)}`") for name, value in node.items() if name != "_target_"]
    return _table(("argument", "value"), rows)


def _kind(field: FieldInfo) -> str:
    """Type, unit and bounds: `int or null, steps, > 0`."""
    found = [
        (getattr(bound, key), sign) for bound in field.metadata for key, sign in SIGNS.items() if hasattr(bound, key)
    ]
    bounds = [f"{sign} {value:,}" for value, sign in found]
    return ", ".join(filter(None, [type_text(field.annotation), unit(field), *bounds]))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines]


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
