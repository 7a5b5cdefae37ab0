"""Where a value came from: the YAML files of a composition, and the line of a key in one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hydra._internal.config_repository import IConfigRepository
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.default_element import GroupDefault, ResultDefault
from omegaconf import Container, DictConfig, OmegaConf

from training_hub.config import hydras
from training_hub.config.groups import ROOT, WHOLE
from training_hub.errors import ConfigError
from training_hub.installed import trust
from training_hub.installed.extensions import extensions

_PARAMETER = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Source:
    """One YAML file of a composition.

    name: as in the defaults list, e.g. `algorithm/sft`. package: where its content goes, "" for the root. keys: what
    it sets, dotted, as seen from the root. follows: those of them that are one root parameter and nothing else, with
    its name: `data.seed` -> `seed`. shipped: whether it came with the project or an extension (or from Python).
    extension: the package that brought it, "" for none.
    """

    name: str
    package: str
    file: Path | None
    keys: frozenset[str]
    shipped: bool
    follows: Mapping[str, str] = field(default_factory=dict)
    extension: str = ""

    @property
    def is_users(self) -> bool:
        """Whether what it sets is the user's word: an experiment, or a file from a folder of the user's own."""
        return self.name.startswith("experiment/") or not self.shipped

    def place(self, key: str) -> str:
        """Where a dotted key (as seen from the root) stands: ` (experiment/mine.yaml, line 3)`; "" where unknown."""
        inner = key.removeprefix(f"{self.package}.") if self.package else key
        return place(self.file, self.name, inner) if self.file else ""


def place(file: Path, name: str, key: str) -> str:
    """Where a dotted key stands in a YAML file, the keys of list items included; "" where it does not."""
    node, line = _root(file.read_text(encoding="utf-8")), None
    for part in key.split("."):
        pairs = _pairs(node)
        match = next(((each, value) for each, value in pairs if each.value == part), None)
        if match is None:
            return ""
        line, node = match[0].start_mark.line + 1, match[1]
    return f" ({name}.yaml, line {line})"


@lru_cache(maxsize=32)  # many faults may stand in one file
def _root(text: str) -> yaml.Node | None:
    node: yaml.Node | None = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return node


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        return list(node.value)
    items = node.value if isinstance(node, yaml.SequenceNode) else []
    return [pair for item in items for pair in _pairs(item)]


class Said(NamedTuple):
    """A setting in a file that came neither with the project nor with an installed extension. key: from the root."""

    name: str
    key: str
    value: Any


@dataclass
class Merge:
    """What Hydra merged.

    kept: of what did not come with the project, the content as YAML by name. said: what the files say whose word alone
    runs nothing.
    hydras: settings of Hydra's own in files.
    """

    sources: tuple[Source, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    said: Sequence[Said] = ()
    hydras: tuple[hydras.Setting, ...] = ()


@contextmanager
def recorded_merge(loader: ConfigLoader) -> Iterator[Merge]:
    """What a composition inside this block merges; empty until it has been composed.

    Hydra can compute the list by itself (`compute_defaults_list`), which takes as long as composing once more. The
    files are read before Hydra merges them: it keeps them in memory, and changes them there.
    """
    recorded = Merge()
    merge = loader._compose_config_from_defaults_list  # type: ignore[attr-defined]

    def record_and_merge(defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
        defaults = _with_whole_groups(defaults, repo)
        recorded.sources = _read_sources(defaults, repo)
        recorded.kept = dict(_own_files(defaults, repo))
        recorded.said = list(_said(defaults, repo))
        recorded.hydras = tuple(_hydra_settings(defaults, repo))
        if faults := hydras.never_used(recorded.hydras):
            raise ConfigError(*faults)
        merged: DictConfig = merge(defaults, repo)
        return merged

    loader._compose_config_from_defaults_list = record_and_merge  # type: ignore[attr-defined]
    try:
        yield recorded
    finally:
        loader._compose_config_from_defaults_list = merge  # type: ignore[attr-defined]


def _with_whole_groups(defaults: Sequence[ResultDefault], repository: IConfigRepository) -> list[ResultDefault]:
    """With the options of groups that are not chosen from, since all of them are there, after the node they are in."""
    found = list(defaults)
    for group, package in WHOLE.items():
        around = f"{package.partition('.')[0]}/"
        place = next((n for n, each in enumerate(found, 1) if (each.config_path or "").startswith(around)), len(found))
        names = repository.get_group_options(group)
        found[place:place] = [
            ResultDefault(f"{group}/{name}", package=f"{package}.{name}", parent=ROOT) for name in names
        ]
    return found


def _read_sources(defaults: Sequence[ResultDefault], repository: IConfigRepository) -> tuple[Source, ...]:
    """The files that make up a config, in the order in which they are merged."""
    found, installed = [], {each.name for each in extensions()}
    for default in defaults:
        path = default.config_path
        if path is None or path.startswith("hydra/") or path == "_dummy_empty_config_":
            continue
        loaded = repository.load_config(path)
        if loaded is None:
            continue
        if not isinstance(loaded.config, DictConfig):
            raise ConfigError(f"{path}.yaml: must hold settings, not a list; write NAME: VALUE")
        package = default.package or ""
        values = {f"{package}.{key}" if package else key: value for key, value in _dotted(loaded.config).items()}
        follows = {key: match[1] for key, value in values.items() if (match := _PARAMETER.fullmatch(str(value)))}
        extension = loaded.provider if loaded.provider in installed else ""
        shipped, file = loaded.provider in ("main", "python", extension), _file(loaded.path, path)
        found.append(Source(path, package, file, frozenset(values), shipped, follows, extension))
    return tuple(found)


def _hydra_settings(defaults: Sequence[ResultDefault], repository: IConfigRepository) -> Iterator[hydras.Setting]:
    """What files set below `hydra`, and the options of Hydra's groups that they choose; those of Hydra itself apart."""
    for default in defaults:
        path = default.config_path or ""
        name = path.removesuffix(".yaml")
        loaded = repository.load_config(path) if name and name != "_dummy_empty_config_" else None
        if loaded is None or name == ROOT or not isinstance(loaded.config, DictConfig):
            continue
        file = _file(loaded.path, name)
        if name.startswith("hydra/") and (file is None or loaded.provider in ("hydra", "main", "schema")):
            if _is_put(default):
                group, _, option = name.rpartition("/")
                raise ConfigError(
                    f"{default.parent}.yaml: {name} is put into the config; write override /{group}: {option}"
                )
            continue
        yield from _set_below_hydra(loaded.config, default.package or "", name, file)
        for entry in loaded.defaults_list or ():
            if isinstance(entry, GroupDefault) and entry.override:
                group = str(entry.group).strip("/")
                keys = (f"defaults.override {lead}{group}" for lead in ("/", ""))
                where = next((text for key in keys if file and (text := place(file, name, key))), f" ({name}.yaml)")
                if group.startswith("hydra/"):
                    yield hydras.Setting(group, entry.value, where)


def _is_put(default: ResultDefault) -> bool:
    """Whether a file of the user's puts an option of Hydra's somewhere: `/hydra/launcher/joblib@hydra.launcher`."""
    parent = default.parent or ""
    return not parent.startswith(("hydra/", "<", "_")) and parent not in ("", ROOT)


def _set_below_hydra(cfg: DictConfig, package: str, name: str, file: Path | None) -> Iterator[hydras.Setting]:
    content: Any = OmegaConf.to_container(cfg, resolve=False)
    content = {key: value for key, value in content.items() if key != "defaults"}
    for part in reversed(package.split(".") if package else []):
        content = {part: content}
    for each in hydras.flat("hydra", content["hydra"]) if content.get("hydra") else ():
        inner = each.key.removeprefix(f"{package}.") if package else each.key
        where = place(file, name, inner) if file else ""
        yield hydras.Setting(each.key, each.value, where or f" ({name}.yaml)")


def _own_files(defaults: Sequence[ResultDefault], repository: IConfigRepository) -> Iterator[tuple[str, str]]:
    """Name and content of each part that did not come with the project: a run keeps them, whatever becomes of these.

    Without comments, and read at once: the file may be another one by the time at which the run is started.
    """
    for path in {each.config_path: None for each in defaults if each.config_path}:
        loaded = repository.load_config(path)
        if loaded is None or loaded.provider == "main" or path.startswith("_dummy"):
            continue
        file, name = _file(loaded.path, path), path.removesuffix(".yaml")
        if file is not None:
            yield name, _as_text(loaded.header, OmegaConf.load(file))
        elif loaded.path.startswith("structured://") and not path.startswith("hydra/"):
            yield name, _as_text(loaded.header, ConfigStore.instance().load(f"{name}.yaml").node)


def _said(defaults: Sequence[ResultDefault], repository: IConfigRepository) -> Iterator[Said]:
    """Each setting, those of Hydra's own node and those inside lists included."""
    installed = {"main", *(each.name for each in extensions())}
    for default in defaults:
        loaded = repository.load_config(default.config_path) if default.config_path else None
        file = _file(loaded.path, str(default.config_path)) if loaded else None
        if loaded is None or file is None or loaded.provider in installed or trust.vouches_for(file):
            continue
        prefix = f"{default.package}." if default.package else ""
        for key, value in _entries(OmegaConf.to_container(loaded.config, resolve=False)):
            yield Said(str(default.config_path), f"{prefix}{key}", value)


def _entries(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield f"{prefix}{key}", value
        yield from _entries(value, f"{prefix}{key}.")


def _as_text(header: Mapping[str, Any], node: Any) -> str:
    package = header.get("package")
    return (f"# @package {package}\n" if package else "") + OmegaConf.to_yaml(node)


def _file(folder: str, name: str) -> Path | None:
    """The file behind a config, None for one that lives in Python or inside an archive."""
    scheme, _, path = folder.partition("://")
    return Path(path) / f"{name.removesuffix('.yaml')}.yaml" if scheme == "file" else None


def _dotted(cfg: Container) -> dict[str, Any]:
    """Every key of a config with its value, those of inner nodes included."""
    found: dict[str, Any] = {}

    def walk(node: Any, prefix: str) -> None:
        for key, value in node.items():
            name = f"{prefix}{key}"
            found[name] = value
            if isinstance(value, dict):
                walk(value, f"{name}.")

    container = OmegaConf.to_container(cfg, resolve=False)
    walk(container, "")
    return {key: value for key, value in found.items() if key.split(".")[0] not in ("defaults", "hydra")}
