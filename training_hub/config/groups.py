"""The config groups: where their files lie, `conf/` and the folders of extensions, and Hydra's loader over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any

import hydra
from hydra import initialize_config_dir
from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult
from hydra.plugins.search_path_plugin import SearchPathPlugin
from packaging.version import Version

from training_hub.config import omegaconf_speed, resolvers, strict_yaml
from training_hub.errors import ConfigError, enumerate_names, suggestion
from training_hub.installed.extensions import Extension, extensions

ROOT = "train"
SEVERAL = ("callbacks", "logger")  # of these groups any number of options may be chosen
WHOLE = {"format": "data.formats"}  # of these groups every option is there, at this place in the config
NAMED_BY = {"format": "data.format"}  # the setting that names one of them
GROUPS = {"adapter", "algorithm", "backend", "data", "experiment", "format", "launcher", "model", "recipe", *SEVERAL}
TOP_GROUPS = GROUPS | {"hydra"}

# Hydra 1.3 warns where version_base is left out, Hydra 1.4 where it is given.
VERSION_BASE = {"version_base": "1.3"} if Version(hydra.__version__).release < (1, 4) else {}

# Hydra keeps its state for the whole process: one thread at a time may touch it.
HYDRAS_STATE = RLock()

# In a wheel `conf/` lies inside the package; in a checkout and in an editable install, beside it.
_PACKAGE = Path(__file__).resolve().parents[1]
CONF = next(path for path in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if (path / f"{ROOT}.yaml").is_file())


# Folders of the user's. They reach Hydra as data: a text in its grammar could not name every folder.
_FURTHER: ContextVar[tuple[str, ...]] = ContextVar("_FURTHER", default=())


class FurtherFolders(SearchPathPlugin):
    """Hydra looks for config groups in the folders of extensions and of the user, too."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add them after `conf/`."""
        for each in extensions():
            search_path.append(each.name, f"file://{each.folder}")
        for folder in _FURTHER.get():
            search_path.append("--config-dir", f"file://{Path(folder).absolute()}")


@contextmanager
def further_folders(folders: Sequence[str]) -> Iterator[None]:
    """Have Hydra look into these folders as well, while the block lasts."""
    before = _FURTHER.set(tuple(folders))
    try:
        yield
    finally:
        _FURTHER.reset(before)


@contextmanager
def recipes_in_place() -> Iterator[None]:
    """A recipe without a package header belongs in `recipe`; Hydra itself would put it in `recipe.<algorithm>`."""
    load = ConfigRepository.load_config

    def load_config(self: ConfigRepository, config_path: str) -> ConfigResult | None:
        loaded = load(self, config_path)
        if loaded and config_path.startswith("recipe/") and not loaded.header.get("package"):
            loaded.header["package"] = "recipe"
        return loaded

    ConfigRepository.load_config = load_config  # type: ignore[method-assign]
    try:
        yield
    finally:
        ConfigRepository.load_config = load  # type: ignore[method-assign]


def prepare_hydra() -> None:
    """Teach Hydra the resolvers of `conf/` and where extensions lie. ConfigError where two have the same option."""
    omegaconf_speed.speed_up()
    resolvers.register()
    _refuse_clashes(extensions())
    Plugins.instance().register(FurtherFolders)


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


def add_option(group: str, name: str, node: dict[str, Any], package: str | None = None) -> None:
    """Add an option to a config group of this process."""
    ConfigStore.instance().store(group=group, name=name, node=node, package=package, provider="python")


class _StrictRepository(ConfigRepository):
    """Hydra's, in which no part of a file is passed over."""

    def load_config(self, config_path: str) -> ConfigResult | None:
        """A config by its name, None where there is none. ConfigError for a file that is not one clear thing."""
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        shipped = source is not None and source.provider == "main" and not config_path.startswith("experiment/")
        if source is not None and source.scheme() == "file" and not shipped:  # a test reads these as strictly
            name = f"{config_path.removesuffix('.yaml')}.yaml"
            strict_yaml.check(Path(source.path, name), name)
        return super().load_config(config_path)

    def get_group_options(self, group_name: str, results_filter: ObjectType | None = ObjectType.CONFIG) -> list[str]:
        """Hydra's list without what it does not read: Hydra 1.4 lists no group that has a file named `.yml`."""
        if results_filter != ObjectType.CONFIG:
            return super().get_group_options(group_name, results_filter)
        found: set[str] = set()
        for source in self.sources:
            if source.scheme() == "file" and source.is_group(group_name):
                found |= {each.stem for each in Path(source.path, group_name).glob("*.yaml") if each.is_file()}
            elif source.is_group(group_name):
                found |= set(source.list(group_name, results_filter))
        return sorted(found)


@contextmanager
def conf_loader(folders: Sequence[str] = ()) -> Iterator[ConfigLoader]:
    """Hydra's loader over `conf/`, while the block lasts; a Hydra application around it is put back afterwards.

    folders: further ones with config groups.
    """
    with HYDRAS_STATE, further_folders(folders):
        prepare_hydra()
        around, GlobalHydra.instance().hydra = GlobalHydra.instance().hydra, None
        try:
            with recipes_in_place(), initialize_config_dir(str(CONF), job_name="training_hub", **VERSION_BASE):
                loader = GlobalHydra.instance().config_loader()
                loader.repository = _StrictRepository(loader.get_search_path())  # type: ignore[attr-defined]
                yield loader
        finally:
            GlobalHydra.instance().hydra = around
