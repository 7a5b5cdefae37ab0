"""`explain`: each parameter, its value, where that came from, and the arguments that it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from training_hub import catalogue
from training_hub.command_line.parameters import text
from training_hub.command_line.table import table
from training_hub.config.check import check
from training_hub.config.composition import Composition
from training_hub.config.origin import references
from training_hub.config.schema import Schema
from training_hub.errors import ConfigError

# What a choice is, rather than what it is set to; `list` and `doctor` show these.
_NOT_SETTINGS = {
    "_target_",
    "worker",
    "trainer",
    "requires",
    "needs_gpu",
    "accepts",
    "algorithm.adapter",
    "data.formats",
}


def explain(overrides: Sequence[str], folders: Sequence[str] = (), sweep: bool | None = False) -> str:
    """The translation as text. Parameters may still be missing; any other fault is a ConfigError.

    sweep: see `compose`.
    """
    composition = catalogue.composed(overrides, folders, sweep=sweep)
    catalogue.refuse_python_made(composition)
    schema = composition.schema
    if faults := check(composition, allow_missing=True):
        raise ConfigError(*faults)
    settings = _settings(composition, schema)
    rows = [("parameter", "value", "from", "becomes")]
    with composition.resolving() as cfg:
        for name in (str(key) for key in cfg if str(key) in schema.parameters):
            becomes = [f"{each.shown} = {_value(cfg, each.path)}" for each in settings if name in each.governed_by]
            for index, setting in enumerate(becomes or ["-"]):
                first = (name, _value(cfg, name), origin(composition, name))
                rows.append((*(first if index == 0 else ("", "", "")), setting))
        free = [
            (each.shown, _value(cfg, each.path), origin(composition, each.path))
            for each in settings
            if not each.governed_by & schema.parameters
        ]
    title = f"{composition.choices['algorithm']} on {composition.choices['backend']}"
    added = [f"{source.name} is of {source.extension}" for source in composition.sources if source.extension]
    header = ("setting without a parameter", "value", "from")
    return "\n".join([title, *added, "", *table(rows), "", *table([header, *free])])


@dataclass(frozen=True)
class _Setting:
    """One setting of a node that does the work. governed_by: the parameters that it is made from."""

    path: str
    shown: str
    governed_by: frozenset[str]


def _settings(composition: Composition, schema: Schema) -> list[_Setting]:
    nodes = [*schema.libraries, "algorithm", "model", "data", "backend", "launcher"]
    nodes += [path for path in schema.nodes if path.startswith(("adapter", "callbacks.", "logger."))]
    typed = {key.rpartition(".")[0] for key in composition.by_user}
    nodes += [path for path in schema.nodes if path.startswith("data.formats.") and path in typed]
    found = []
    for node in nodes:
        plain = OmegaConf.to_container(OmegaConf.select(composition.cfg, node), resolve=False)
        assert isinstance(plain, dict)
        library = str(plain.get("_target_", node)).rpartition(".")[2]
        for key, value in ((str(key), value) for key, value in plain.items()):
            shown = f"{library if node in schema.libraries else node}.{key}"
            if not _NOT_SETTINGS & {key, f"{node}.{key}"} and f"{node}.{key}" not in nodes:
                found.append(_Setting(f"{node}.{key}", shown, frozenset(references(value))))
    return found


def origin(composition: Composition, key: str) -> str:
    """Where a value came from: default, algorithm=..., experiment=..., the command line."""
    if key in composition.typed:
        return composition.typed_in
    setters = [source.name for source in composition.sources if key in source.keys]
    group, _, option = setters[-1].partition("/") if setters else ("", "", "")
    return f"{group}={option}" if option else "default"


def _value(cfg: DictConfig, path: str) -> str:
    """A resolved value as it would be typed; `???` where it hangs on a parameter that is missing."""
    try:
        value = OmegaConf.select(cfg, path, throw_on_missing=True)
    except OmegaConfBaseException:
        return "???"
    return text(value)
