"""What was typed after `-m`, and the overrides of each job, in the grammar and the order of Hydra's own sweeper."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from omegaconf import OmegaConf

from training_hub import train
from training_hub.config import hydras
from training_hub.config.choices import options_of
from training_hub.config.composition import Composition
from training_hub.config.groups import GROUPS, conf_loader
from training_hub.config.overrides import override_texts
from training_hub.config.twice import refuse_twice
from training_hub.config.typed import legible
from training_hub.config.values import wrong_values
from training_hub.errors import ConfigError, fault, merged, shown_value, subject
from training_hub.params import Params, SweepParams, aliases
from training_hub.ranking import Ranking, ranking_of
from training_hub.sweeps.direction import refuse_another_direction

_ALIASES = aliases(SweepParams)
_MOST_RUNS = 10_000
_OF_THE_SWEEP = ("output_dir", "ckpt_output_dir", "resume", "overwrite")
_MODES = {"never": "never", "False": "never", "auto": "auto", "True": "auto", "must": "must"}


@dataclass(frozen=True)
class Asked:
    """What was typed after `-m`, and the sweep that files declare.

    own: parameters of the sweep itself. output_dir: its folder, None where none was given. resume: never, auto or
    must. settings: those of its runs. of_hydra: those below `hydra`. sweeper, launcher: the options of Hydra's groups
    that were chosen; its basic ones are replaced by this program. params: what `hydra.sweeper.params` sets in addition.
    hydra_keys: what is set below `hydra`, typed or in files.
    """

    own: dict[str, Any]
    output_dir: str | None
    resume: str
    settings: tuple[Override, ...]
    of_hydra: tuple[Override, ...] = ()
    sweeper: str = "basic"
    launcher: str = "basic"
    params: tuple[Override, ...] = ()
    hydra_keys: frozenset[str] = frozenset()

    @property
    def plugin(self) -> str | None:
        """The plugin of Hydra's that makes or runs the jobs; None where this program does both."""
        chosen = {"hydra/sweeper": self.sweeper, "hydra/launcher": self.launcher}
        return next((f"{group}={name}" for group, name in chosen.items() if name != "basic"), None)

    @property
    def ranking(self) -> Ranking | None:
        """How the runs are to be ranked; None where nothing says so."""
        if not self.own.keys() & {"rank_by", "rank_mode"}:
            return None
        return ranking_of(self.own.get("rank_by"), self.own.get("rank_mode"))

    @property
    def chooses_values(self) -> bool:
        """Whether a sweeper of a plugin makes the jobs, one after the other."""
        return self.sweeper != "basic"

    @property
    def _of_runs(self) -> tuple[Override, ...]:
        return (*self.params, *self.settings)

    @property
    def swept(self) -> tuple[str, ...]:
        """The names of the settings that have several values."""
        return tuple(_key(each) for each in self._of_runs if each.is_sweep_override())

    def for_hydra(self) -> list[Override]:
        """The settings as Hydra's own multirun needs them."""
        if self.chooses_values:
            return [*self.settings, *self.of_hydra]
        kept = [each for each in self.of_hydra if not hydras.of_basic_sweeper(each)]
        return [*self._of_runs, *kept, *_parsed([f"{hydras.PARAMS}=null"])]

    def jobs(self) -> list[list[str]]:
        """Every combination of the values. ConfigError for a range without end and for one without values."""
        if faults := [text for each in self._of_runs for text in _sweep_faults(each)]:
            raise ConfigError(*faults)
        swept = [each for each in self._of_runs if each.is_sweep_override()]
        if (runs := prod(map(_count, swept))) > _MOST_RUNS:
            typed = " ".join(str(each.input_line) for each in swept)
            way = "give fewer values, or add hydra/sweeper=optuna, which chooses some"
            many = f"{runs:,} runs" if runs < sys.maxsize else "an unbounded number of runs"
            raise ConfigError(f"-m {shown_value(typed)}: {many}; a sweep can have at most {_MOST_RUNS:,}; {way}")
        (batch,) = BasicSweeper.split_arguments(list(self._of_runs), None)
        return batch

    def samples(self) -> list[list[str]]:
        """A job with the first of each setting's values, and one for each further option of a config group."""
        first = {each.get_key_element(): _first(each) for each in self._of_runs}
        groups = [each for each in self._of_runs if each.key_or_group in GROUPS and each.is_discrete_sweep()]
        others = ({**first, each.get_key_element(): name} for each in groups for name in each.sweep_string_iterator())
        return [[f"{key}={value}" for key, value in job.items()] for job in (first, *others)]


def read(overrides: Sequence[str], folders: Sequence[str] = ()) -> Asked:
    """What is asked for, in files too. ConfigError as for `typed`, and for what cannot be composed."""
    asked = typed(overrides, folders)
    composition = _composed(asked, folders)
    sweeper, launcher = (composition.choices.get(group, "basic") for group in hydras.PLUGINS)
    params: Any = OmegaConf.to_container(composition.hydra_cfg.hydra.sweeper).get("params") or {}  # type: ignore[union-attr]
    further = [each for override in asked.of_hydra for each in hydras.settings_of(override)]
    params |= {each.key[len(hydras.PARAMS) + 1 :]: each.value for each in further if each.is_below(hydras.PARAMS)}
    there = {each.key_or_group for each in asked.settings}
    texts = [_as_override(str(name), value) for name, value in params.items() if name and name not in there]
    keys = frozenset(each.key for each in (*composition.hydras, *further))
    parsed = tuple(_parsed(texts, folders))
    taken = {*SweepParams.model_fields, *_ALIASES, *_OF_THE_SWEEP}
    if faults := [_of_the_sweep(each) for each in parsed if each.key_or_group in taken or hydras.is_of_hydra(each)]:
        raise ConfigError(*faults)
    refuse_another_direction(sweeper, composition.hydra_cfg.hydra.sweeper, keys, asked.ranking)
    return replace(asked, sweeper=sweeper, launcher=launcher, params=parsed, hydra_keys=keys)


def _of_the_sweep(override: Override) -> str:
    return fault(f"{hydras.PARAMS}.{_key(override)}", _value(override), "not a setting of a run", "type it after -m")


def _as_override(name: str, value: Any) -> str:
    """A value of `hydra.sweeper.params`: a text is in the grammar of the command line."""
    return f"{name}={value}" if isinstance(value, str) else override_texts({name: value}, set())[0]


def _composed(asked: Asked, folders: Sequence[str]) -> Composition:
    """The first sample that can be composed. ConfigError with the faults of all where none can."""
    empty = any(map(_is_empty, asked.settings))
    faults = [text for each in asked.settings for text in _sweep_faults(each)] if empty else []
    for sample in () if faults else asked.samples():
        try:
            return train.composed([*sample, *(str(each.input_line) for each in asked.of_hydra)], folders, sweep=True)
        except ConfigError as error:
            faults += error.faults
    raise ConfigError(*merged(faults))


def typed(overrides: Sequence[str], folders: Sequence[str] = ()) -> Asked:
    """Part what is the sweep's from what is its runs'. ConfigError for bad grammar and for what a sweep cannot have."""
    names = {name: name for name in SweepParams.model_fields} | _ALIASES
    parsed = _parsed(overrides, folders)
    refuse_twice(parsed, aliases(Params) | _ALIASES)
    own, rest = _taken(parsed, names)
    folder, rest = _taken(rest, {"output_dir": "output_dir", "ckpt_output_dir": "output_dir"})
    resume, rest = _taken(rest, {"resume": "resume"})
    written = {names[each.key_or_group]: each.key_or_group for each in parsed if each.key_or_group in names}
    faults = [f"{written[subject(text)]}={text.partition('=')[2]}" for text in wrong_values(SweepParams, own, "")]
    faults += [] if faults else _ranking_faults(own)
    mode = str(resume.get("resume", "never"))
    if mode not in _MODES:
        faults.append(fault("resume", mode, "a sweep resumes in its own folder", "give output_dir=, and resume=auto"))
    for each in rest:
        if hydras.is_of_hydra(each) and each.is_sweep_override():
            faults.append(_several_of_hydra(each))
        if each.key_or_group == "overwrite":
            faults.append(fault("overwrite", _value(each), "a sweep never overwrites", "choose another output_dir"))
        if each.key_or_group == "verbose":
            rule = "a sweep shows its runs and its table"
            faults.append(fault("verbose", _value(each), rule, "drop it; redirect standard output to show nothing"))
        if each.key_or_group == "launcher" and each.is_sweep_override():
            faults.append(fault("launcher", _value(each), "cannot be swept", "give one value"))
    if faults:
        raise ConfigError(*faults)
    of_hydra = tuple(each for each in rest if hydras.is_of_hydra(each))
    settings = tuple(each for each in rest if each not in of_hydra)
    return Asked(own, folder.get("output_dir"), _MODES[mode], settings, of_hydra)


def _ranking_faults(own: dict[str, Any]) -> list[str]:
    try:
        ranking_of(own.get("rank_by"), own.get("rank_mode"))
    except ConfigError as error:
        return list(error.faults)
    return []


def _several_of_hydra(override: Override) -> str:
    key, value = _key(override), _value(override)
    name = key.removeprefix(f"{hydras.PARAMS}.")
    return fault(key, value, "cannot be swept", "give one value" if name == key else f"write {name}={value}")


def _parsed(overrides: Sequence[str], folders: Sequence[str] = ()) -> list[Override]:
    """The overrides, several values allowed; `glob` sees the options of further folders too."""
    parser = OverridesParser.create(config_loader=_Options(folders))  # type: ignore[arg-type]
    parsed = []
    for text in overrides:
        try:
            parsed += parser.parse_overrides([legible(text)])
        except HydraException:
            way = "write NAME=VALUE, and quote a value with special characters: 'NAME=\"VALUE\"'"
            raise ConfigError(f"{text}: not a setting; {way}") from None
    return parsed


def _taken(parsed: Sequence[Override], names: dict[str, str]) -> tuple[dict[str, Any], list[Override]]:
    """The values of the overrides with these names, by their own names, and the other overrides."""
    mine = [each for each in parsed if each.key_or_group in names]
    if several := [each for each in mine if each.is_sweep_override()]:
        raise ConfigError(*(fault(_key(each), _value(each), "cannot be swept", "give one value") for each in several))
    return {names[each.key_or_group]: each.value() for each in mine}, [each for each in parsed if each not in mine]


def _sweep_faults(override: Override) -> Iterator[str]:
    """Values that this program cannot enumerate, or that are none."""
    if not override.is_sweep_override():
        return
    if not override.is_discrete_sweep():
        way = "list the values, or add hydra/sweeper=optuna, which chooses some"
        yield fault(_key(override), _value(override), "is a continuous range", way)
    elif _is_empty(override):
        yield fault(_key(override), _value(override), "holds no values", "check its bounds or its pattern")


def _is_empty(override: Override) -> bool:
    return override.is_discrete_sweep() and _count(override) == 0


def _count(override: Override) -> int:
    """How many values a discrete sweep has; of a range nothing is enumerated, which could take forever."""
    value: Any = override.value()
    if not isinstance(value, RangeSweep):
        return sum(1 for _ in override.sweep_string_iterator())
    start, stop, step = value.start or 0, value.stop or 0, value.step
    try:
        return max(0, ceil((stop - start) / step))
    except (ArithmeticError, ValueError):  # a step of 0, nan, or more than a float can count
        return sys.maxsize if step else 0


def _first(override: Override) -> str:
    value: Any = override.value()
    if isinstance(value, IntervalSweep | RangeSweep):
        return str(value.start)
    return (
        next(override.sweep_string_iterator()) if override.is_sweep_override() else override.get_value_element_as_str()
    )


def _key(override: Override) -> str:
    return override.get_key_element().lstrip("+")


def _value(override: Override) -> str:
    return str(override.input_line).partition("=")[2]


class _Options:
    """What Hydra's parser asks for `glob(...)`."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders

    def get_group_options(self, group_name: str, results_filter: ObjectType | None = None) -> list[str]:
        with conf_loader() as loader:
            return options_of(loader, group_name, self._folders)
