"""Overrides in, composed config out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import yaml
from hydra import compose as hydra_compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from training_hub.config import hydras
from training_hub.config.choices import options
from training_hub.config.composition import Composition
from training_hub.config.deletions import delete, is_deletion
from training_hub.config.groups import ROOT, SEVERAL, TOP_GROUPS, conf_loader
from training_hub.config.home import expand_home
from training_hub.config.hydra_words import loop_fault
from training_hub.config.refusals import (
    composition_fault,
    refuse_before_composing,
    refuse_missing_choices,
    refuse_nodes_without_settings,
    yaml_fault,
)
from training_hub.config.sources import recorded_merge
from training_hub.config.typed import is_group, legible, parse, refuse_unknown_options, rewrite, typed_values
from training_hub.config.words import heed
from training_hub.errors import ConfigError


def compose(
    overrides: Sequence[str],
    aliases: Mapping[str, str],
    config_dirs: Sequence[str] = (),
    typed_in: str = "command line",
    sweep: bool | None = False,
) -> Composition:
    """Compose `conf/train.yaml` with overrides in Hydra's grammar.

    aliases: other names of parameters -> their own. config_dirs: further folders with config groups.
    sweep: whether this is for a sweep; None where that does not matter, for what only shows and for one of its runs.
    A key that does not exist is let through, so that the check can report all of them at once with the right name.
    Raises ConfigError for what cannot be composed: bad grammar, an unknown option, a pair that does not exist;
    SweepDeclared where a file, or hydra.mode, makes a sweep of what is no part of one.
    """
    composition = _composed(overrides, aliases, config_dirs, typed_in, sweep)
    if further := implied(composition):
        again = _composed([*overrides, *further], aliases, config_dirs, typed_in, sweep)
        composition = replace(again, overrides=tuple(overrides))
    heed(composition.cfg, composition.said, composition.typed)
    return composition


def implied(composition: Composition) -> list[str]:
    """Overrides that choose what the user has set something of without choosing it: `logger.wandb.project=x`."""
    return [
        f"+{group}@{group}.{name}={name}"
        for group in SEVERAL
        for name, node in (composition.cfg.get(group) or {}).items()
        if isinstance(node, DictConfig) and "_target_" not in node
        if any(key.startswith(f"{group}.{name}.") for key in composition.typed.values) and name in options(group)
    ]


def _composed(
    overrides: Sequence[str],
    aliases: Mapping[str, str],
    config_dirs: Sequence[str],
    typed_in: str,
    sweep: bool | None,
) -> Composition:
    parsed = [parse(text) for text in overrides]
    refuse_before_composing(parsed, config_dirs)
    of_hydra = [setting for each in parsed if hydras.is_of_hydra(each) for setting in hydras.settings_of(each)]
    if any(map(hydras.of_plugin, parsed)):  # which settings there are depends on the plugin, which a file may choose
        rest = [str(each.input_line) for each in parsed if not hydras.of_plugin(each)]
        plain = _composed(rest, aliases, config_dirs, typed_in, sweep)
        hydras.refuse_unused(plain.hydras, of_hydra, plain.choices, sweep)
        if plain.choices["hydra/sweeper"] == "basic":
            parsed = [each for each in parsed if not hydras.of_basic_sweeper(each)]
    try:
        with conf_loader(config_dirs) as loader:
            refuse_unknown_options(loader, [each for each in parsed if is_group(each, TOP_GROUPS)], config_dirs)
            typed = typed_values(parsed, TOP_GROUPS, aliases)
            rewritten = [rewrite(each, TOP_GROUPS, aliases) for each in parsed if not is_deletion(each)]
            with recorded_merge(loader) as merge:
                full = hydra_compose(ROOT, rewritten, return_hydra_config=True)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(yaml_fault(error)) from None
    except RecursionError as error:
        raise ConfigError(loop_fault(error)) from None
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(composition_fault(error)) from None
    hydras.refuse_unused(merge.hydras, of_hydra, full.hydra.runtime.choices, sweep)
    refuse_missing_choices(full)
    choices = {str(key): str(value) for key, value in full.hydra.runtime.choices.items() if value is not None}
    cfg = OmegaConf.masked_copy(full, [str(key) for key in full if key != "hydra"])
    OmegaConf.set_struct(cfg, False)
    delete(cfg, parsed)
    refuse_nodes_without_settings(cfg, merge.sources)
    expand_home(cfg)
    merged = (merge.sources, typed_in, merge.kept, merge.said, merge.hydras)
    return Composition(cfg, full, choices, tuple(overrides), typed, aliases, *merged)


def rewritten(overrides: Sequence[str], aliases: Mapping[str, str]) -> list[str]:
    """Overrides as Hydra takes them: own names, and keys that do not exist let through. Sweeps stay sweeps."""
    return [rewrite(OverridesParser.create().parse_override(legible(text)), TOP_GROUPS, aliases) for text in overrides]


def missing_parameters(algorithm: str) -> set[str]:
    """Parameters of an algorithm that have no default value."""
    cfg = compose([f"algorithm={algorithm}"], {}).cfg
    return {str(key) for key in cfg if OmegaConf.is_missing(cfg, key)}
