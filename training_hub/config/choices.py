"""The choices: the options of each config group, and what the file of one says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.config_loader import ConfigLoader
from omegaconf import OmegaConf

from training_hub.config import groups
from training_hub.config.folders import options_in
from training_hub.config.sources import place
from training_hub.errors import ConfigError, nearest
from training_hub.installed.extensions import extensions


def file_of(group: str, name: str) -> Path | None:
    """The file of an option; None where there is none, or Python code made it."""
    folders = [groups.CONF, *(each.folder for each in extensions())]
    return next((file for folder in folders if (file := folder / group / f"{name}.yaml").is_file()), None)


def options(group: str) -> list[str]:
    """Names of the options of a config group, e.g. `algorithm`; [] where there is no such group."""
    with groups.conf_loader() as loader:
        return options_of(loader, group)


def options_of(loader: ConfigLoader, group: str, folders: Sequence[str] = ()) -> list[str]:
    """The same from a loader that is there; its own `get_group_options` copies all that it has at every call.

    folders: further ones with config groups.
    """
    here = list(loader.repository.get_group_options(group))  # type: ignore[attr-defined]
    further = [name.removeprefix(f"{group}/") for each in folders for name in options_in(Path(each), group)]
    return list(dict.fromkeys([*here, *sorted(further)]))


def read_option(group: str, name: str) -> dict[str, Any]:
    """One option of a group as its file has it, not composed with anything else."""
    if file := file_of(group, name):
        return _read(file)
    with groups.conf_loader() as loader:
        loaded = loader.repository.load_config(f"{group}/{name}").config  # type: ignore[attr-defined]
        registered: dict[str, Any] = OmegaConf.to_container(loaded, resolve=False)  # type: ignore[assignment]
        return registered


def lock_of(backend: str) -> Path:
    """The file with the locked version of every package that a backend brings along; not every backend has one."""
    return groups.CONF / "backend" / f"{backend}.lock"


def _read(file: Path) -> dict[str, Any]:
    """The content of a YAML file; by libyaml where PyYAML came with it, ten times as fast."""
    content: dict[str, Any] = yaml.load(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return content


def entry(group: str, name: str, key: str) -> Any:
    """A value that an option's file must have, by dotted key. ConfigError that names a misspelling of the key."""
    node: Any = read_option(group, name)
    walked = ""
    for part in key.split("."):
        if not isinstance(node, dict) or part not in node:
            raise ConfigError(_no_entry(group, name, walked, part, map(str, node or ())))
        node, walked = node[part], f"{walked}{part}."
    return node


def _no_entry(group: str, name: str, walked: str, part: str, there: Iterable[str]) -> str:
    file, close = file_of(group, name), nearest(part, there)
    if close and file:
        found = f"{walked}{close}"
        return f"{found}: no such key{place(file, f'{group}/{name}', found)}; did you mean {part}?"
    return f"{walked}{part}: missing in {group}/{name}.yaml"


def recommended_backend(algorithm: str) -> str:
    """The backend that runs where the user names only the algorithm; "" for an algorithm that exists only in Python."""
    for file in (file_of("algorithm", algorithm), file_of("", groups.ROOT)):
        if file is None:
            return ""
        for entry in _read(file).get("defaults", []):
            for key, value in entry.items() if isinstance(entry, dict) else ():
                if key in ("backend", "override /backend"):
                    return str(value)
    return ""
