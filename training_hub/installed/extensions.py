"""Packages that add choices, found without importing anything of them.

Each names a folder with config groups by an entry point:

    [project.entry-points."training_hub.conf"]
    NAME = "PACKAGE.conf"
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from training_hub.errors import ConfigError

GROUP = "training_hub.conf"


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


@cache
def _on(_search_path: tuple[str, ...]) -> tuple[Extension, ...]:
    return tuple(sorted(map(_extension, entry_points(group=GROUP)), key=lambda each: each.name))


def _extension(entry: EntryPoint) -> Extension:
    top, *inner = entry.value.split(".")
    spec = find_spec(top)  # of a package that lies in no other one, nothing is imported
    places = [Path(place, *inner) for place in (spec and spec.submodule_search_locations) or ()]
    folder = next(filter(Path.is_dir, places), None)
    name = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.name
    if folder is None:
        raise ConfigError(f"{name}: no folder {entry.value} of config groups; reinstall it, or remove it")
    return Extension(name, top, folder)
