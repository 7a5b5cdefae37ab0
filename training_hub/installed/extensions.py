"""Packages that add choices, found without importing anything of them.

Each names a folder with config groups by an entry point, or a module that declares a verb, or both:

    [project.entry-points."training_hub.conf"]
    NAME = "PACKAGE.conf"

    [project.entry-points."training_hub.verbs"]
    VERB = "PACKAGE.MODULE"
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from training_hub.errors import ConfigError

CONF, VERBS = "training_hub.conf", "training_hub.verbs"


@dataclass(frozen=True)
class Extension:
    """An installed package with config groups.

    name: of the distribution, with its version. package: the one that its configs may take classes from. folder: what
    is laid over `conf/`.
    """

    name: str
    package: str
    folder: Path

    def options(self) -> list[Path]:
        """Its files, as they lie in its folder: `algorithm/NAME.yaml`."""
        return sorted(path.relative_to(self.folder) for path in self.folder.rglob("*.yaml"))


def extensions() -> tuple[Extension, ...]:
    """What is installed. ConfigError where one names a folder that is not there."""
    return _on(tuple(sys.path))


def verbs() -> list[tuple[str, str, str]]:
    """Each verb of an installed package: its name, the module that declares it, the distribution with its version."""
    return sorted((entry.name, entry.module, _distribution(entry)) for entry in _entries(tuple(sys.path), VERBS))


@cache
def _on(search_path: tuple[str, ...]) -> tuple[Extension, ...]:
    return tuple(sorted(map(_extension, _entries(search_path, CONF)), key=lambda each: each.name))


def _entries(search_path: tuple[str, ...], group: str) -> EntryPoints:
    found: EntryPoints = _all(search_path).select(group=group)
    return found


@cache
def _all(_search_path: tuple[str, ...]) -> Any:
    """Reading the metadata of all that is installed takes longer than choosing from it."""
    return entry_points()  # its class depends on the version of Python; all have `select`


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.name


def _extension(entry: EntryPoint) -> Extension:
    top, *inner = entry.value.split(".")
    spec = find_spec(top)  # of a package that lies in no other one, nothing is imported
    places = [Path(place, *inner) for place in (spec and spec.submodule_search_locations) or ()]
    folder = next(filter(Path.is_dir, places), None)
    name = _distribution(entry)
    if folder is None:
        raise ConfigError(f"{name}: no folder {entry.value} of config groups; reinstall it, or remove it")
    return Extension(name, top, folder)
