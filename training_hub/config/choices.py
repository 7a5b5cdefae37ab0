"""The choices: what `conf/`, installed extensions and Python code offer in each config group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any

import yaml
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from training_hub.config import resolvers
from training_hub.config.sources import place
from training_hub.errors import ConfigError, enumerate_names, nearest, suggestion
from training_hub.installed.extensions import Extension, extensions

ROOT = "train"
SEVERAL = ("callbacks", "logger")  # of these groups any number of options may be chosen
GROUPS = {"adapter", "algorithm", "backend", "data", "experiment", "launcher", "model", "recipe", *SEVERAL}

# Hydra keeps its state for the whole process: one thread at a time may touch it.
HYDRAS_STATE = RLock()

# In a wheel `conf/` lies inside the package; in a checkout and in an editable install, beside it.
_PACKAGE = Path(__file__).resolve().parents[1]
CONF = next(path for path in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if (path / f"{ROOT}.yaml").is_file())


class Extensions(SearchPathPlugin):
    """Hydra looks for config groups in the folders of extensions, too."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add them after `conf/`."""
        for each in extensions():
            search_path.append(each.name, f"file://{each.folder}")


def prepare_hydra() -> None:
    """Teach Hydra the resolvers of `conf/` and where extensions lie. ConfigError where two have the same option."""
    resolvers.register()
    _refuse_clashes(extensions())
    Plugins.instance().register(Extensions)


@cache
def _refuse_clashes(found: tuple[Extension, ...]) -> None:
    """Refuse what Hydra would pass over without a word: an option that is there already, and an unknown group."""
    owners: dict[Path, str] = {}
    faults = []
    for each in found:
        for path in each.options():
            owner = "training_hub" if (CONF / path).exists() else owners.setdefault(path, each.name)
            if owner != each.name:
                faults.append(f"{each.name}: {path} is an option of {owner}; rename one, or remove one of the packages")
            elif path.parts[0] not in GROUPS:
                way = suggestion(path.parts[0], GROUPS) or f"choose from {enumerate_names(sorted(GROUPS))}"
                faults.append(f"{each.name}: {path}: no such config group; {way}")
    if faults:
        raise ConfigError(*faults)


def file_of(group: str, name: str) -> Path | None:
    """The file of an option; None where there is none, or Python code made it."""
    folders = [CONF, *(each.folder for each in extensions())]
    return next((file for folder in folders if (file := folder / group / f"{name}.yaml").is_file()), None)


def options(group: str) -> list[str]:
    """Names of the options of a config group, e.g. `algorithm`; [] where there is no such group."""
    with conf_loader() as loader:
        return options_of(loader, group)


def options_of(loader: ConfigLoader, group: str, folders: Sequence[str] = ()) -> list[str]:
    """The same from a loader that is there; its own `get_group_options` copies all that it has at every call.

    folders: further ones with config groups.
    """
    here = list(loader.repository.get_group_options(group))  # type: ignore[attr-defined]
    further = [path.relative_to(Path(each, group)) for each in folders for path in Path(each, group).rglob("*.yaml")]
    return list(dict.fromkeys([*here, *sorted(path.with_suffix("").as_posix() for path in further)]))


def read_option(group: str, name: str) -> dict[str, Any]:
    """One option of a group as its file has it, not composed with anything else."""
    if file := file_of(group, name):
        return _read(file)
    with conf_loader() as loader:
        loaded = loader.repository.load_config(f"{group}/{name}").config  # type: ignore[attr-defined]
        registered: dict[str, Any] = OmegaConf.to_container(loaded, resolve=False)  # type: ignore[assignment]
        return registered


def lock_of(backend: str) -> Path:
    """The file with the locked version of every package that a backend brings along; not every backend has one."""
    return CONF / "backend" / f"{backend}.lock"


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
    for file in (file_of("algorithm", algorithm), file_of("", ROOT)):
        if file is None:
            return ""
        for entry in _read(file).get("defaults", []):
            for key, value in entry.items() if isinstance(entry, dict) else ():
                if key in ("backend", "override /backend"):
                    return str(value)
    return ""


def add_option(group: str, name: str, node: dict[str, Any], package: str | None = None) -> None:
    """Add an option to a config group of this process."""
    ConfigStore.instance().store(group=group, name=name, node=node, package=package, provider="python")


@contextmanager
def conf_loader() -> Iterator[ConfigLoader]:
    """Hydra's loader over `conf/`, while the block lasts; a Hydra application around it is put back afterwards."""
    with HYDRAS_STATE:
        prepare_hydra()
        around, GlobalHydra.instance().hydra = GlobalHydra.instance().hydra, None
        try:
            with initialize_config_dir(str(CONF), job_name="training_hub", version_base="1.3"):
                yield GlobalHydra.instance().config_loader()
        finally:
            GlobalHydra.instance().hydra = around
