"""Hydra's own settings: a few of them steer a sweep; every other one is refused, with what to use instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.conf import HydraConf
from hydra.core.override_parser.types import Override

from training_hub.errors import ConfigError, fault, suggestion

PARAMS = "hydra.sweeper.params"
PLUGINS = ("hydra/sweeper", "hydra/launcher")
ONE_RUN = "for a single run add hydra.mode=RUN"

_OF_SWEEPS = ("hydra.sweep.dir", "hydra.sweeper", "hydra.launcher")
_MODES = ("RUN", "MULTIRUN")
_GROUPS = {str(group) for each in HydraConf().defaults for group in each}
_NAMES = (set(HydraConf.__annotations__) | _GROUPS) - {"defaults"}
_INSTEAD = {
    "hydra.run": "use output_dir=DIR",
    "hydra.sweep.subdir": "each run of a sweep has a folder of its own; use output_dir=DIR for the sweep's",
    "hydra.sweep": "use output_dir=DIR",
    "hydra.output_subdir": "use output_dir=DIR",
    "hydra.verbose": "use --debug",
    "hydra.searchpath": "use --config-dir DIR",
    "hydra.callbacks": "use callbacks.NAME._target_=package.module.Class",
    "hydra.help": "see --help",
    "hydra.hydra_help": "see --help",
    "hydra.job.name": "use output_dir=DIR",
    "hydra.job.env_set": "set it before the command: NAME=VALUE python -m training_hub ...",
    "hydra.job.env_copy": "a run has the variables of the shell that starts it; drop it",
    "hydra.job.chdir": "a run stays in the folder where it is started; drop it",
    "hydra.job_logging": "a run writes its own log; drop it",
    "hydra.hydra_logging": "a run writes its own log; drop it",
    "hydra.aliases": "parameters have aliases already, see --help; drop it",
}


@dataclass(frozen=True)
class Setting:
    """One setting below `hydra`.

    key: `hydra.run.dir`, or `hydra/launcher` for a choice. place: where it stands in a file, "" where it was typed.
    """

    key: str
    value: Any
    place: str = ""

    @property
    def dotted(self) -> str:
        """The key with dots alone."""
        return self.key.replace("/", ".")

    def is_below(self, *keys: str) -> bool:
        """Whether it is one of these keys or below one."""
        return any(self.dotted == key or self.dotted.startswith(f"{key}.") for key in keys)

    def fault(self, rule: str, way: str) -> str:
        """It, refused."""
        return fault(self.key, self.value, f"{rule}{self.place}", way)


class SweepDeclared(ConfigError):
    """What was composed for one run declares a sweep: `hydra.mode=MULTIRUN`."""


def of_plugin(override: Override) -> bool:
    """Whether an override is about what a sweeper or a launcher has, which depends on the one that is chosen."""
    return is_of_hydra(override) and any(
        each.is_below("hydra.sweeper", "hydra.launcher") and each.key not in PLUGINS for each in settings_of(override)
    )


def of_basic_sweeper(override: Override) -> bool:
    """Whether an override sets nothing but values to sweep over, which Hydra's basic sweeper cannot take here."""
    return is_of_hydra(override) and all(each.is_below(PARAMS) for each in settings_of(override))


def refuse_unused(
    in_files: Sequence[Setting], typed: Sequence[Setting], choices: Mapping[str, Any], sweep: bool | None
) -> None:
    """Refuse what is right elsewhere alone: see `unused`. SweepDeclared where what is for one run declares a sweep."""
    modes = [each for each in (*in_files, *typed) if each.key == "hydra.mode"]
    mode = str(modes[-1].value) if modes else ""
    if sweep is False and mode == "MULTIRUN":
        raise SweepDeclared(modes[-1].fault("asks for a sweep, and this is one run", ONE_RUN))
    in_file_too = None if sweep is False and mode == "RUN" else sweep
    if faults := unused(in_files, choices, in_file_too) + unused(typed, choices, sweep):
        raise ConfigError(*faults)


def is_of_hydra(override: Override) -> bool:
    """Whether an override is about Hydra's own settings."""
    return override.key_or_group.replace("/", ".").split(".")[0] == "hydra"


def settings_of(override: Override) -> list[Setting]:
    """What an override sets below `hydra`; of a mapping each value by itself. ConfigError for one that deletes."""
    key = override.key_or_group
    written = f"{key}@{override.package}" if override.package is not None else key
    if override.is_delete():
        raise ConfigError(f"~{written}: a setting of Hydra's cannot be deleted; drop it")
    if override.package is not None:
        raise ConfigError(f"{written}: an option of Hydra's has its own place; drop the @{override.package}")
    value = _text(override) if override.is_sweep_override() else override.value()
    if key == "hydra" and not isinstance(value, dict):
        raise ConfigError(fault(key, value, "Hydra's own settings, which a value cannot replace", "drop it"))
    return list(flat(key, value))


def flat(key: str, value: Any, place: str = "") -> Iterator[Setting]:
    """The settings in a value, which may be a mapping of more."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from flat(f"{key}.{name}", inner, place)
    else:
        yield Setting(key, value, place)


def never_used(settings: Sequence[Setting]) -> list[str]:
    """Faults of settings that nothing here reads, whatever is run."""
    return [text for each in settings for text in _never_used(each)]


def _never_used(setting: Setting) -> Iterator[str]:
    parts = setting.dotted.split(".")
    known = _NAMES
    if len(parts) > 1 and parts[1] not in known:
        close = suggestion(parts[1], known).replace("mean ", "mean hydra.") or "drop it"
        yield f"{setting.key}: no such setting of Hydra{setting.place}; {close}"
    elif setting.key == "hydra.mode":
        if str(setting.value) not in _MODES:
            yield setting.fault("must be RUN or MULTIRUN", "choose one of the two")
    elif not setting.is_below(*_OF_SWEEPS):
        way = next((_INSTEAD[key] for key in _INSTEAD if setting.is_below(key)), "drop it")
        yield setting.fault("a setting of Hydra's that this program does not use", way)
    elif setting.key in PLUGINS and isinstance(setting.value, list):
        yield setting.fault("one is chosen, not a list of them", "give one name")
    elif setting.key in ("hydra.sweep", "hydra.sweeper", "hydra.launcher"):
        yield setting.fault("sets nothing", "give one of its settings, or drop it")
    elif setting.key == "hydra.sweep.dir" and (not isinstance(setting.value, str) or not setting.value):
        yield setting.fault("must be a folder", "write hydra.sweep.dir=DIR")
    elif setting.key == PARAMS and setting.value not in (None, {}):
        yield setting.fault("must be a mapping of names to values", f"write {PARAMS}.NAME='1,2'")
    elif "_target_" in parts:
        group = "/".join(parts[:2])
        yield setting.fault("a class of Hydra's is chosen by name", f"use {group}=NAME, or drop it")


def unused(settings: Sequence[Setting], choices: Mapping[str, Any], sweep: bool | None) -> list[str]:
    """Faults of settings that are right elsewhere: in a sweep, or with a plugin.

    choices: option of each group of Hydra's. sweep: whether one is asked for; None where settings are only shown.
    """
    return [text for each in settings for text in _unused(each, choices, sweep)]


def _unused(setting: Setting, choices: Mapping[str, Any], sweep: bool | None) -> Iterator[str]:
    chosen = {key: str(choices.get(key) or "basic") for key in PLUGINS}
    group = "/".join(setting.dotted.split(".")[:2])
    if setting.key == "hydra.mode":
        if sweep and str(setting.value) == "RUN":
            yield setting.fault("-m asks for a sweep", "keep one of the two")
    elif sweep is False:
        yield setting.fault("for sweeps alone", f"add -m, or {ONE_RUN}" if setting.place else "add -m, or drop it")
    elif group in PLUGINS and setting.key not in PLUGINS and chosen[group] == "basic" and not setting.is_below(PARAMS):
        yield setting.fault(f"{group}=basic has no such setting", _WAY_OF_PLUGIN[group])


_WAY_OF_PLUGIN = {
    "hydra/launcher": "choose one that has it, such as hydra/launcher=joblib, or use jobs=N",
    "hydra/sweeper": "choose one that has it, such as hydra/sweeper=optuna, or drop it",
}


def _text(override: Override) -> str:
    return str(override.input_line).partition("=")[2]
