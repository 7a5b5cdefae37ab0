"""Write training_hub/__init__.pyi: the functions of every algorithm as editors and type checkers see them.

Run it after a change of a parameter or an algorithm: python scripts/function_stubs.py. A test compares the file with
what it makes.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

import training_hub
from training_hub import train
from training_hub.algorithms.base import RecipeAlgorithm
from training_hub.algorithms.function import POSITIONAL
from training_hub.config.choices import options
from training_hub.loggers import LOGGER_SETTINGS
from training_hub.params import aliases, unit
from training_hub.registry import AlgorithmRegistry

STUB = Path(__file__).resolve().parents[1] / "training_hub" / "__init__.pyi"
REQUIRED = ("model_path", "data_path")
OPENING = '''\
"""Made by scripts/function_stubs.py from the parameters; run it again after a change."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Literal

'''
# Config groups: the name of an option, or settings of the chosen one.
NODE = "str | Mapping[str, Any] | None"
GROUPS = {
    "adapter": (NODE, "the adapter, or settings of it"),
    "backend": (NODE, "the library that trains, or settings of it"),
    "callbacks": ("Any", "options, or instances of TrainingHubCallback"),
    "data": (NODE, "settings of the data pipeline, such as {'too_long': 'error'}"),
    "experiment": ("str | Sequence[str] | None", "experiments to apply"),
    "launcher": (NODE, "where the run starts, or settings of it"),
    "logger": ("str | Sequence[str] | Mapping[str, Any] | None", "where metrics go, or settings of the loggers"),
    "model": (NODE, "settings for loading the model"),
    "recipe": ("Mapping[str, Any] | None", "further arguments of the library"),
}


def stub() -> str:
    """The whole file, formatted."""
    functions = [name for name in options("algorithm") if name in training_hub.__all__]
    others = [name for name in training_hub.__all__ if name not in functions and name != "__version__"]
    imports = "".join(f"from {training_hub._NAMES[name]} import {name} as {name}\n" for name in sorted(others))
    listed = "".join(f"    {name!r},\n" for name in training_hub.__all__)
    head = f"{OPENING}{imports}\n__version__: str\n__all__ = [\n{listed}]\n\n"
    return _formatted(head + "\n\n".join(_function(name) for name in functions))


def _function(name: str) -> str:
    parameters = _parameters(name)
    first = {each: parameters.pop(each) for each in POSITIONAL}
    signature = ", ".join([*(each[0] for each in first.values()), "*", *(each[0] for each in parameters.values())])
    lines = [f"{each}: {meaning}" for each, (_, meaning) in {**first, **parameters}.items()]
    args = "\n".join(textwrap.fill(line, 110, initial_indent="    ", subsequent_indent="        ") for line in lines)
    algorithm: Any = AlgorithmRegistry.get_algorithm(name)
    doc = (
        f"{algorithm.__doc__}.\n\nNone leaves the default of the algorithm.\n\nArgs:\n{args}\n\nReturns:\n"
        "    What came of the run: status, run directory, checkpoint, metrics.\n\nRaises:\n"
        "    ConfigError: for wrong settings, before anything starts.\n"
        "    RunFailed: where the run failed.\n    RunInterrupted: where it was stopped."
    ).replace("..\n", ".\n", 1)
    return f"def {name}({signature}) -> TrainResult:\n{textwrap.indent(chr(34) * 3 + doc, '    ')}\n    {chr(34) * 3}\n"


def _parameters(name: str) -> dict[str, tuple[str, str]]:
    """Name -> (declaration, meaning): what the algorithm has, then what its adapter and the launchers add."""
    found: dict[str, tuple[str, str]] = {}
    for owner in _owners(name):
        other = {own: alias for alias, own in aliases(owner).items()}
        for own, field in owner.model_fields.items():
            meaning = (field.description or "") + (f", in {unit(field)}" if unit(field) else "")
            for each in filter(None, (other.get(own), own)):
                kind = _type(field.annotation, each)
                optional = kind if each in REQUIRED else f"{kind.removesuffix(' | None')} | None = None"
                same = f"same as {other[own]}" if each == own and own in other else meaning
                found.setdefault(each, (f"{each}: {optional}", same))
    for alias, setting in LOGGER_SETTINGS.items():
        found.setdefault(alias, (f"{alias}: str | None = None", f"same as {setting}"))
    for group, (kind, meaning) in GROUPS.items():
        found.setdefault(group, (f"{group}: {kind} = None", meaning))
    return found


def _owners(name: str) -> Iterator[type[BaseModel]]:
    algorithm: type[RecipeAlgorithm] = AlgorithmRegistry.get_algorithm(name)  # type: ignore[assignment]
    yield algorithm.Params
    if train.composed([f"algorithm={name}"]).cfg.algorithm.get("adapter"):
        for adapter in options("adapter"):
            if adapter != "none":
                yield train.composed([f"algorithm={name}", f"adapter={adapter}"]).classes.adapter.Params
    for launcher in options("launcher"):
        yield train.composed([f"launcher={launcher}"]).classes.launcher.Params


def _type(annotation: Any, name: str) -> str:
    """A type as a caller may give it: any sequence for a list, a path for the text of a path."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inner[0], name)
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(_type(each, name) for each in inner))
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, inner))}]"
    if origin is list:
        return f"Sequence[{_type(inner[0], '')}]"
    if origin is dict:
        return f"Mapping[{', '.join(_type(each, '') for each in inner)}]"
    if annotation is NoneType:
        return "None"
    if annotation is Any:
        return "Any"
    return "str | PathLike[str]" if annotation is str and name.endswith(("path", "dir")) else str(annotation.__name__)


def _formatted(source: str) -> str:
    for action in (["check", "--select", "I", "--fix"], ["format"]):
        command = [sys.executable, "-m", "ruff", *action, "--quiet", "--stdin-filename", str(STUB), "-"]
        source = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    return source


if __name__ == "__main__":
    STUB.write_text(stub())
